import { execFileSync } from 'node:child_process';
import { constants, privateDecrypt, publicEncrypt, type RsaPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { makePair, type Pair } from '../../crypto/rsa.js';
import { sealRequest } from '../../protocol/request.js';
import { bytesOf, dial } from '../../protocol/socket.js';
import { formatEnvelope, formatHello, parseWire } from '../../protocol/wire.js';
import { processorTime_s } from '../run/processor.js';
import { BenchNode, bits, must, pause } from './parts/bench-node.js';
import { quantile } from './statistics.js';
import type { BenchSuite, Measurement } from './suite.js';

function privateOperations_per_s(seconds: number): number {
  const out = execFileSync('openssl', ['speed', '-seconds', String(seconds), 'rsa3072'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return Number(/rsa 3072 bits\s+\S+\s+\S+\s+([\d.]+)/.exec(out)?.[1]);
}

/**
 * Requests that were sealed before, over some connections, as fast as the node answers. Only the node's own processor time counts, of all
 * its threads, as `openssl speed` counts its own; this process, which makes the load, is another.
 */
async function requestsPerCore(node: BenchNode, pid: number, count: number): Promise<number> {
  const session = await node.session();
  const { boot, nonce } = must(await session.hello());
  const now_s = Math.floor(Date.now() / 1000);
  const texts: string[] = [];
  for (let at = 0; at < count; at += 1) {
    const sealed = await sealRequest(node.console, node.to, { type: 'status' }, { boot, nonce, now_s });
    texts.push(formatEnvelope('R1', sealed.text));
  }
  const before = processorTime_s(pid);
  await Promise.all(
    Array.from({ length: 4 }, (_, at) =>
      pump(
        node,
        texts.filter((_text, it) => it % 4 === at),
      ),
    ),
  );
  const taken = processorTime_s(pid) - before;
  session.close('done');
  return count / taken;
}

/** Sends them with a few under way at a time, and counts only sealed replies. */
async function pump(node: BenchNode, texts: readonly string[]): Promise<void> {
  const socket = must(await dial({ url: node.url, ...pinOf(node), timeout_ms: 10_000 }));
  let [sent, answered] = [0, 0];
  await new Promise<void>((resolve, reject) => {
    const more = (): void => {
      const text = texts[sent];
      if (text === undefined) return;
      sent += 1;
      socket.send(text);
    };
    socket.on('message', (data) => {
      if (!bytesOf(data).subarray(0, 3).equals(Buffer.from('P1 ')))
        reject(new Error(bytesOf(data).toString()));
      answered += 1;
      if (answered === texts.length) resolve();
      more();
    });
    socket.resume();
    for (let at = 0; at < 4; at += 1) more();
  });
  socket.terminate();
}

function pinOf(node: BenchNode): { readonly pin?: string } {
  const pin = node.card.ways[0]?.pin;
  return pin === undefined ? {} : { pin };
}

async function eventsPerCore(node: BenchNode, count: number): Promise<number> {
  const child = await node.startEvents();
  const session = await node.session();
  let seen = 0;
  let bytes = 0;
  let done = (): void => {};
  const all = new Promise<void>((resolve) => (done = resolve));
  must(
    await session.request({
      command: { type: 'events.follow' },
      to: node.to,
      onFrame: (plaintext) => {
        bytes += plaintext.length;
        for (const byte of plaintext) if (byte === 10) seen += 1;
        seen += 1;
        if (seen > count) done();
      },
    }),
  );
  const pid = child.pid ?? 0;
  const before = processorTime_s(pid);
  child.send(count);
  await all;
  const taken = processorTime_s(pid) - before;
  session.close('done');
  await node.stop();
  if (bytes / seen < 250) throw new Error(`events of ${bytes / seen} bytes are too small`);
  return count / taken;
}

/** What no durable command can do without: a private operation, and a block on the disk. Side by side with the commands, so that both meet the same machine. */
class Needed {
  readonly fsync: number[] = [];
  readonly both: number[] = [];
  readonly #file: number;
  readonly #block = Buffer.alloc(16 * 1024, 1);
  readonly #sealed: Buffer;
  readonly #opening: RsaPrivateKey;

  constructor(folder: string, pair: Pair) {
    this.#file = openSync(join(folder, 'fsync'), 'w');
    const oaep = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' };
    this.#opening = { key: pair.private, ...oaep };
    this.#sealed = publicEncrypt({ key: pair.public.key, ...oaep }, Buffer.alloc(32, 1));
  }

  measure(): void {
    const started = performance.now();
    privateDecrypt(this.#opening, this.#sealed);
    const opened = performance.now();
    writeSync(this.#file, this.#block);
    fdatasyncSync(this.#file);
    const synced = performance.now();
    this.fsync.push(synced - opened);
    this.both.push(synced - started);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** The first ones, in which the node compiles what it runs, are not counted. */
async function changes_ms(
  node: BenchNode,
  pid: number,
  needed: Needed,
  count: number,
): Promise<{ readonly taken: readonly number[]; readonly worked: readonly number[] }> {
  const session = await node.session();
  const [taken, worked]: [number[], number[]] = [[], []];
  for (let at = -warmChanges; at < count; at += 1) {
    const { boot, nonce } = must(await session.hello());
    const options = { boot, nonce, now_s: Math.floor(Date.now() / 1000) };
    const command = { type: 'node.rename' as const, name: `n-${at + warmChanges}` };
    const sealed = await sealRequest(node.console, node.to, command, options);
    const before_s = processorTime_s(pid);
    const took_ms = await exchange(node, formatEnvelope('R1', sealed.text));
    const worked_ms = (processorTime_s(pid) - before_s) * 1000;
    if (at < 0) continue;
    taken.push(took_ms);
    worked.push(worked_ms);
    needed.measure();
  }
  session.close('done');
  lasting?.terminate();
  lasting = undefined;
  return { taken, worked };
}

const warmChanges = 100;

let lasting: WebSocket | undefined;

/** One request on a connection that is open already, without the time that the console takes to seal it. */
async function exchange(node: BenchNode, text: string): Promise<number> {
  lasting ??= must(await dial({ url: node.url, ...pinOf(node), timeout_ms: 10_000 }));
  lasting.resume();
  const started = performance.now();
  lasting.send(text);
  const [data] = (await once(lasting, 'message')) as [Buffer];
  if (!data.toString().startsWith('P1 ')) throw new Error(data.toString());
  return performance.now() - started;
}

async function latencies_ms(node: BenchNode, count: number): Promise<number[]> {
  const session = await node.session();
  const taken: number[] = [];
  for (let at = 0; at < count; at += 1) {
    const started = performance.now();
    must(await session.request({ command: { type: 'status' }, to: node.to }));
    taken.push(performance.now() - started);
  }
  session.close('done');
  return taken;
}

/** One source that dials and sends what opens but is not signed by a console, as fast as it is let. */
function flood(node: BenchNode, texts: readonly string[]): { stop(): void; lookedAt(): number } {
  let stopped = false;
  let lookedAt = 0;
  const attack = (): void => {
    if (stopped) return;
    const socket = new WebSocket(node.url, {
      localAddress: '127.0.0.66',
      rejectUnauthorized: false,
      perMessageDeflate: false,
    });
    socket.on('open', () => {
      for (let at = 0; at < 200; at += 1) socket.send(texts[at % texts.length] ?? '');
    });
    socket.on('message', (data) => {
      const wire = parseWire(bytesOf(data).toString());
      if (wire.ok && wire.value.kind === 'hint' && wire.value.hint.code !== 'too-many') lookedAt += 1;
    });
    socket.on('error', () => {});
    socket.on('close', () => setTimeout(attack, 5));
  };
  for (let at = 0; at < 8; at += 1) attack();
  return {
    stop: () => {
      stopped = true;
    },
    lookedAt: () => lookedAt,
  };
}

/** How sealed commands and streams perform, as ratios to what OpenSSL and the disk can do in the same run. */
export const suite: BenchSuite = {
  name: 'commands',
  about: `sealed commands to a real node over TLS on loopback, RSA ${bits}`,
  async run({ quick }) {
    const rows: Measurement[] = [];
    const node = await BenchNode.make();
    try {
      const pid = await node.start();
      // V8 compiles what a node runs during its first thousands of requests: a ratio from before that says nothing.
      await requestsPerCore(node, pid, 3000);
      const operations: number[] = [];
      const requests: number[] = [];
      for (let round = 0; round < (quick ? 2 : 5); round += 1) {
        operations.push(privateOperations_per_s(1));
        requests.push(await requestsPerCore(node, pid, quick ? 300 : 800));
      }
      rows.push(
        { name: 'openssl rsa3072 private operations', unit: 'per_s', values: operations },
        {
          name: 'sealed requests per second of the node’s own processor time (wanted 0.8)',
          unit: 'per_s',
          values: requests,
          baseline: 'openssl rsa3072 private operations',
        },
      );
      rows.push(...(await durable(node, pid, quick ? 100 : 500)));

      const alone = await latencies_ms(node, quick ? 50 : 200);
      const stranger = await makePair(bits);
      const session = await node.session();
      const { boot } = must(await session.hello());
      session.close('done');
      const texts: string[] = [];
      for (let at = 0; at < 200; at += 1) {
        const options = { boot, now_s: Math.floor(Date.now() / 1000) };
        texts.push(
          formatEnvelope('R1', (await sealRequest(stranger, node.to, { type: 'status' }, options)).text),
        );
      }
      texts.push(formatHello());
      const attack = flood(node, texts);
      await pause(500);
      const burst = attack.lookedAt();
      const beside = await latencies_ms(node, quick ? 50 : 200);
      attack.stop();
      rows.push(
        { name: 'an honest request alone', unit: 'ms', values: alone },
        {
          name: 'an honest request beside a flood',
          unit: 'ms',
          values: beside,
          baseline: 'an honest request alone',
        },
        { name: 'messages of a flood looked at before it is cut off', unit: 'count', values: [burst] },
      );
      await node.stop();

      rows.push({
        name: 'stream events of 256 bytes per core',
        unit: 'per_s',
        values: await eventRates(node, quick),
      });
      return rows;
    } finally {
      await node.remove();
    }
  },
};

async function durable(node: BenchNode, pid: number, count: number): Promise<readonly Measurement[]> {
  const needed = new Needed(node.folder, node.console);
  const { taken: changed, worked } = await changes_ms(node, pid, needed, count);
  needed.close();
  const p99 = (values: readonly number[]): number => quantile(values, 0.99);
  const row = (name: string, values: readonly number[]): Measurement => ({ name, unit: 'ms', values });
  const baseline = 'one private operation and one fsync of 16 KiB';
  return [
    row('one fsync of 16 KiB', needed.fsync),
    row(baseline, needed.both),
    row('the same, p99', [p99(needed.both)]),
    { ...row('durable change, asked to answered', changed), baseline },
    row('durable change, p99', [p99(changed)]),
    row('durable change, p99 beyond that of one private operation and one fsync (wanted 5)', [
      p99(changed) - p99(needed.both),
    ]),
    // What others do on the machine does not show in these.
    row('durable change, the node’s own processor time', worked),
    row('durable change, the node’s own processor time, p99', [p99(worked)]),
  ];
}

async function eventRates(node: BenchNode, quick: boolean): Promise<number[]> {
  const rates: number[] = [];
  for (let round = 0; round < (quick ? 1 : 3); round += 1)
    rates.push(await eventsPerCore(node, quick ? 200_000 : 500_000));
  return rates;
}
