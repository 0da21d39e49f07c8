import { parseConsoleCard } from '../../protocol/console-card.js';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FleetConsole, must } from './console.js';
import { parseFailure } from './failures.js';
import { Fleet } from './fleet.js';
import { Senders } from './senders.js';

/** A fleet in a process of its own, so that its processor time is told apart: what its parent asks, and what it answers. */
export type Order =
  | { readonly do: 'start'; readonly dir: string; readonly nodes: number; readonly heartbeat_ms: number }
  | { readonly do: 'begin' | 'end'; readonly failure: string }
  | { readonly do: 'send'; readonly url: string; readonly connections: number; readonly heartbeat_ms: number }
  | { readonly do: 'stop' };

let fleet: Fleet | undefined;
let senders: Senders | undefined;

async function carryOut(order: Order): Promise<void> {
  switch (order.do) {
    case 'start': {
      const { dir, nodes, heartbeat_ms } = order;
      const card = must(parseConsoleCard(readFileSync(join(dir, 'console.pub.json'))));
      fleet = await Fleet.make({ nodes, heartbeat_ms, landlord: card.key });
      await fleet.listen();
      const cards = fleet.nodes.map((node) => (fleet as Fleet).card(node));
      await FleetConsole.at(dir).add(cards);
      return;
    }
    case 'begin':
    case 'end': {
      if (!fleet) return;
      const failure = parseFailure(order.failure, fleet.nodes.length);
      if (!failure) throw new Error(order.failure);
      fleet[order.do](failure);
      return;
    }
    case 'send':
      senders = await Senders.open(order);
      return;
    case 'stop':
      senders?.close();
      await fleet?.close();
      [senders, fleet] = [undefined, undefined];
  }
}

process.on('message', (order: Order) => {
  void carryOut(order).then(
    () => process.send?.('done'),
    (error: unknown) => process.send?.(`failed: ${String(error)}`),
  );
});
process.once('disconnect', () => process.exit(0));
