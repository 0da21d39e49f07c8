// Runs in the namespace of a node: makes the node, starts it, and passes commands on to it, a line of JSON for each.
import { createInterface } from 'node:readline';
import type { Pair } from '../../../crypto/rsa.js';
import type { NodeSession } from '../../../console/nodes/session.js';
import type { Command } from '../../../protocol/commands.js';
import type { MessageChannel } from '../../../protocol/channel.js';
import type { Addressee } from '../../../protocol/request.js';
import { NodeProcess } from '../../scenario/node-process.js';
import { rent } from '../../scenario/tenancy.js';

/** A line that kills the node, without its having a chance to do anything, and starts it again. */
const kill = 'kill';

interface Asked {
  readonly level: number;
  readonly command: Command;
  readonly follow?: boolean;
}

const node = await NodeProcess.make({ init: process.argv.slice(2) });
await node.start();
const holders: { readonly console: Pair; readonly to: Addressee; session?: NodeSession }[] = [
  { console: node.landlord, to: node.to },
];
const tenant = await rent(node);
holders.push({ console: tenant.console, to: tenant.to });

/** When the last message went to the node, and when the last one came: what lies between is the node's own time. */
const wire = { sent_ms: 0, came_ms: 0, sentAt_ms: 0 };

function watched(channel: MessageChannel): MessageChannel {
  return {
    source: channel.source,
    send: (message) => {
      wire.sent_ms = performance.now();
      wire.sentAt_ms = Number(process.hrtime.bigint()) / 1e6;
      return channel.send(message);
    },
    onMessage: (handler) =>
      channel.onMessage((message) => {
        wire.came_ms = performance.now();
        return handler(message);
      }),
    onClose: (handler) => channel.onClose(handler),
    close: (reason) => channel.close(reason),
  };
}

function tell(line: unknown): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

tell({ ready: true, dir: node.dir, lease: tenant.lease });
for await (const line of createInterface({ input: process.stdin })) {
  if (line === kill) {
    const started = performance.now();
    await node.kill('SIGKILL');
    for (const holder of holders) delete holder.session;
    await node.start();
    tell({ took_ms: performance.now() - started, node_ms: 0, sent_ms: 0, result: {} });
    continue;
  }
  const { level, command, follow } = JSON.parse(line) as Asked;
  const holder = holders[level];
  if (!holder) throw new Error('no such level');
  holder.session ??= await node.session(holder.console, watched);
  const started = performance.now();
  const reply = await holder.session.request({
    command,
    to: holder.to,
    ...(follow === true
      ? {
          onFrame: (bytes: Uint8Array) => {
            for (const text of Buffer.from(bytes).toString('utf8').split('\n'))
              tell({ level, event: JSON.parse(text) as unknown });
          },
        }
      : {}),
  });
  const took_ms = performance.now() - started;
  const node_ms = wire.came_ms - wire.sent_ms;
  const times = { took_ms, node_ms, sent_ms: wire.sentAt_ms };
  tell(
    reply.ok
      ? { ...times, result: reply.value.result, error: reply.value.error }
      : { ...times, error: reply.refusal },
  );
}
await node.remove();
process.exit(0);
