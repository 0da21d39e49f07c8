import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, verify as verifySignature } from 'node:crypto';
import { Rolls } from '../../console-app/engines/roll.js';
import { keepTogether, tryTogether } from '../../console/filters/together.js';
import { filtersDigest } from '../../console/filters/push.js';
import { NodeBook } from '../../console/nodes/book.js';
import { CatchUp } from '../../console/past/catch-up.js';
import { openLevelStore } from '../../console/store/level.js';
import { parseFilterSet } from '../../bmonitor/filters/parse.js';
import { sign, utf8 } from '../../crypto/jose.js';
import { makePair, type Pair } from '../../crypto/rsa.js';
import { silentLog } from '../../protocol/log.js';
import { newId } from '../../protocol/request.js';
import { ok } from '../../protocol/result.js';
import { bits, must, pause } from './parts/bench-node.js';
import { ServedNode, type SignedCommand } from './parts/served-node.js';
import type { BenchSuite, BenchTools, Measurement } from './suite.js';

const clocks = { wall: () => Date.now(), steady: () => performance.now() };

/** Statements as a console signs them, each once: a chain of history has them at its lines. */
async function signedCommands(console: Pair, count: number): Promise<readonly SignedCommand[]> {
  const made: SignedCommand[] = [];
  for (let at = 0; at < count; at++) {
    const jti = newId();
    const claims = {
      v: 1,
      iss: console.public.id,
      aud: 'A'.repeat(43),
      lease: newId(),
      level: 1,
      jti,
      iat: 1_800_000_000,
      exp: 1_800_000_060,
      boot: newId(),
      nonce: 'A'.repeat(43),
      command: { type: 'status' },
    };
    const header = { typ: 'bm-req+jws', kid: console.public.id };
    made.push({ jti, statement: await sign(console.private, header, utf8(JSON.stringify(claims))) });
  }
  return made;
}

class Customer {
  private constructor(
    readonly folder: string,
    readonly pair: Pair,
    readonly nodes: readonly ServedNode[],
    readonly store: Awaited<ReturnType<typeof openStore>>,
    readonly book: NodeBook,
  ) {}

  static async make(count: number): Promise<Customer> {
    const folder = await mkdtemp(join(tmpdir(), 'bmonitor-bench-customer-'));
    const pair = await makePair(bits);
    // Each node has an identity of its own; one pair for the levels of all of them costs the same to use.
    const level = await makePair(bits);
    const nodes: ServedNode[] = [];
    for (let at = 0; at < count; at++)
      nodes.push(
        new ServedNode(`node-${at}`, { identity: await makePair(2048), pair: level, console: pair.public }),
      );
    const store = await openStore(folder);
    const book = new NodeBook({
      store,
      pair,
      clocks,
      chance: () => 0,
      patience: { answer_ms: 60_000, late_ms: 600_000, unknown_ms: 700_000 },
      ask_ms: 600_000,
      log: silentLog,
      ownWays: [],
      connect: (way) => {
        const node = nodes.find(({ card }) => card.ways[0]?.url === way.url);
        if (!node) throw new Error(`nobody is at ${way.url}`);
        return Promise.resolve(ok(node.connect()));
      },
    });
    for (const node of nodes) must(await book.add(node.card));
    while (!book.list().every(({ state }) => state === 'good')) await pause(20);
    return new Customer(folder, pair, nodes, store, book);
  }

  async remove(): Promise<void> {
    this.book.close();
    await this.store.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function openStore(folder: string) {
  return must(await openLevelStore(join(folder, 'store')));
}

async function catchUp({ book, nodes, pair, store }: Customer): Promise<number> {
  const all = new CatchUp({ store, book, own: pair.public, now: clocks.wall, log: silentLog });
  const began = performance.now();
  const done = await Promise.all(nodes.map(async ({ card }) => all.fetch(card.name)));
  const took = performance.now() - began;
  for (const { trouble } of done) if (trouble) throw new Error(`${trouble.code} ${trouble.detail ?? ''}`);
  return took;
}

async function applyToAll({ book, nodes }: Customer): Promise<number> {
  const filters = Array.from({ length: 50 }, (_, at) => ({
    action: 'deny',
    direction: 'in',
    peers: [`10.1.${at}.0/24`],
    protocol: 'tcp',
    ports: [8000 + at],
  }));
  const set = must(parseFilterSet({ otherwise: 'inherit', filters }));
  const wanted = { set, names: {}, digest: filtersDigest(set, {}) ?? '' };
  const targets = nodes.map(({ card }) => ({ node: card.name, wanted, expect: 0 }));
  const began = performance.now();
  const tried = must(await tryTogether(book, targets));
  const kept = await keepTogether(tried);
  if (kept.length !== nodes.length) throw new Error(`${kept.length} nodes kept it`);
  return performance.now() - began;
}

async function roll({ book, nodes }: Customer, revision: number): Promise<number> {
  const rolls = new Rolls({ book, log: silentLog, steady: clocks.steady });
  const image = `sha256:${String(revision).padStart(64, '0')}`;
  const began = performance.now();
  const { id } = must(
    rolls.begin({
      engine: 'web',
      nodes: nodes.map(({ card }) => card.name),
      settings: { image },
      atOnce: 1,
      well_ms: 0,
      bound_ms: 10_000,
    }),
  );
  while (must(rolls.get(id)).state === 'rolling') await pause(5);
  const { state } = must(rolls.get(id));
  if (state !== 'done') throw new Error(`the roll is ${state}`);
  return performance.now() - began;
}

/** What one signature costs to check here, with nothing around it. */
function verifying(pair: Pair, statement: string, count: number): number {
  const [head = '', body = '', signature = ''] = statement.split('.');
  const data = Buffer.from(`${head}.${body}`);
  const bytes = Buffer.from(signature, 'base64url');
  const key = { key: pair.public.key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
  const began = performance.now();
  for (let at = 0; at < count; at++) verifySignature('sha256', data, key, bytes);
  return performance.now() - began;
}

export const suite: BenchSuite = {
  name: 'customer',
  about:
    'a customer’s console with 100 nodes, which are in the same process and speak the real protocol, with memory behind it and no sockets between',
  async run({ quick }: BenchTools): Promise<readonly Measurement[]> {
    const count = quick ? 10 : 100;
    const entries = quick ? 100 : 1000;
    const customer = await Customer.make(count);
    try {
      const commands = await signedCommands(customer.pair, entries);
      for (const node of customer.nodes) node.happen(commands);
      const base = verifying(customer.pair, commands[0]?.statement ?? '', count * entries);
      const caught = await catchUp(customer);
      // The first roll describes the engine on each node, the others update it.
      await roll(customer, 1);
      const rolled = [await roll(customer, 2), await roll(customer, 3)];
      const applied = [await applyToAll(customer), await applyToAll(customer), await applyToAll(customer)];
      const baseline = `${count * entries} signatures checked, nothing around them`;
      return [
        { name: baseline, unit: 'ms', values: [base] },
        {
          name: `catching up with ${count} nodes, ${entries} entries each, every statement verified`,
          unit: 'ms',
          values: [caught],
          baseline,
          ...(quick ? {} : { wanted: { of: 'median', at: 'most', value: 10_000 } as const }),
        },
        {
          name: `an engine updated on ${count} nodes, one after the other, beyond its own start`,
          unit: 'ms',
          values: rolled,
          ...(quick ? {} : { wanted: { of: 'median', at: 'most', value: 10_000 } as const }),
        },
        {
          name: `50 filters for ${count} nodes, all or none, tried and kept`,
          unit: 'ms',
          values: applied,
          ...(quick ? {} : { wanted: { of: 'median', at: 'most', value: 2000 } as const }),
        },
      ];
    } finally {
      await customer.remove();
    }
  },
};
