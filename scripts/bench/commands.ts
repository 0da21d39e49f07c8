import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { makePair } from '../../crypto/rsa.js';
import { sealRequest } from '../../protocol/request.js';
import { bytesOf, dial } from '../../protocol/socket.js';
import { formatEnvelope, formatHello, parseWire } from '../../protocol/wire.js';
import { BenchNode, bits, must, pause, processorTime_s } from './parts/bench-node.js';
import { quantile } from './statistics.js';
import type { BenchSuite, Measurement } from './suite.js';

function privateOperations_per_s(seconds: number): number {
  const out = execFileSync('openssl', ['speed', '-seconds', String(seconds), 'rsa3072'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return Number(/rsa 3072 bits\s+\S+\s+\S+\s+([\d.]+)/.exec(out)?.[1]);
}

/** Requests that were sealed before, over some connections, as fast as the node answers. */
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

function fsyncs_ms(folder: string, count: number): number[] {
  const file = openSync(join(folder, 'fsync'), 'w');
  const taken: number[] = [];
  const block = Buffer.alloc(16 * 1024, 1);
  for (let at = 0; at < count; at += 1) {
    const started = performance.now();
    writeSync(file, block);
    fdatasyncSync(file);
    taken.push(performance.now() - started);
  }
  closeSync(file);
  return taken;
}

async function changes_ms(node: BenchNode, count: number): Promise<number[]> {
  const session = await node.session();
  const taken: number[] = [];
  for (let at = 0; at < count; at += 1) {
    const { boot, nonce } = must(await session.hello());
    const options = { boot, nonce, now_s: Math.floor(Date.now() / 1000) };
    const sealed = await sealRequest(
      node.console,
      node.to,
      { type: 'node.rename', name: `n-${at}` },
      options,
    );
    taken.push(await exchange(node, formatEnvelope('R1', sealed.text)));
  }
  session.close('done');
  lasting?.terminate();
  lasting = undefined;
  return taken;
}

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
      await requestsPerCore(node, pid, 100);
      const operations: number[] = [];
      const requests: number[] = [];
      for (let round = 0; round < (quick ? 2 : 5); round += 1) {
        operations.push(privateOperations_per_s(1));
        requests.push(await requestsPerCore(node, pid, quick ? 300 : 800));
      }
      rows.push(
        { name: 'openssl rsa3072 private operations', unit: 'per_s', values: operations },
        {
          name: 'sealed requests per core',
          unit: 'per_s',
          values: requests,
          baseline: 'openssl rsa3072 private operations',
        },
      );
      const rate = quantile(operations, 0.5);
      const count = quick ? 100 : 400;
      const [synced, changed] = [fsyncs_ms(node.folder, count), await changes_ms(node, count)];
      const beyond = quantile(changed, 0.99) - quantile(synced, 0.99) - 1000 / rate;
      rows.push(
        { name: 'one fsync of 16 KiB', unit: 'ms', values: synced },
        { name: 'durable change', unit: 'ms', values: changed, baseline: 'one fsync of 16 KiB' },
        {
          name: 'durable change, p99 beyond fsync p99 and one private operation',
          unit: 'ms',
          values: [beyond],
        },
      );

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

async function eventRates(node: BenchNode, quick: boolean): Promise<number[]> {
  const rates: number[] = [];
  for (let round = 0; round < (quick ? 1 : 3); round += 1)
    rates.push(await eventsPerCore(node, quick ? 200_000 : 500_000));
  return rates;
}
