import { execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Bed } from '../../test/facility/bed/index.js';
import { SoftwareTpm } from '../../test/fakes/swtpm.js';
import { root } from '../run/root.js';
import { BenchNode } from './parts/bench-node.js';
import { quantile } from './statistics.js';
import type { BenchSuite, Measurement } from './suite.js';

const run = promisify(execFile);
const part = (name: string): string => join(root, `dist/scripts/bench/parts/${name}.js`);

interface Cycles {
  readonly grant: readonly number[];
  readonly take: readonly number[];
  readonly end: readonly number[];
  readonly bare: readonly number[];
}

async function cycles(count: number): Promise<readonly Measurement[]> {
  const bed = await Bed.create({ nodes: ['node'] });
  try {
    const { namespace, nic, ipv4 } = bed.place('node');
    const words = ['netns', 'exec', namespace, process.execPath, part('lease-cycles'), nic, ipv4];
    const { stdout } = await run('ip', [...words, String(count)], { timeout: 20 * 60_000 });
    const { grant, take, end, bare } = JSON.parse(stdout) as Cycles;
    const p99 = (values: readonly number[]): readonly number[] => [quantile(values, 0.99)];
    const baseline = 'one bare write to the TPM by its tools';
    return [
      { name: baseline, unit: 'ms', values: bare },
      { name: 'the same, p99', unit: 'ms', values: p99(bare) },
      { name: 'a lease granted', unit: 'ms', values: grant, baseline },
      { name: 'a lease taken (wanted 150)', unit: 'ms', values: take, baseline },
      { name: 'the same, p99 ', unit: 'ms', values: p99(take) },
      { name: 'a lease ended: closed, keys gone, answered', unit: 'ms', values: end, baseline },
      { name: 'the same, p99 (wanted 100)', unit: 'ms', values: p99(end) },
    ];
  } finally {
    await bed.remove();
  }
}

/** From the start of the process to the line that says that it is ready. */
async function startToReady(node: BenchNode): Promise<number> {
  const cli = join(root, 'dist/bmonitor/cli/index.js');
  const started = performance.now();
  const child = spawn(process.execPath, [cli, 'run', '--dir', node.dir], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  for await (const line of createInterface({ input: child.stderr }))
    if (line.includes('node.ready')) {
      const took_ms = performance.now() - started;
      child.kill('SIGTERM');
      await new Promise((resolve) => child.once('exit', resolve));
      return took_ms;
    }
  throw new Error('the node ended before it was ready');
}

async function starts(samples: number, entries: number): Promise<readonly Measurement[]> {
  const measured: Measurement[] = [];
  const tpm = await SoftwareTpm.make();
  try {
    for (const [store, keys, tcti] of [
      ['a file', ['--keys', 'file'], ''],
      ['a TPM', ['--keys', 'tpm', '--tpm', tpm.tcti, '--pcr', '0', '4', '7'], tpm.tcti],
    ] as const) {
      const node = await BenchNode.make(...keys);
      const [fresh, long]: number[][] = [[], []];
      for (let at = 0; at < samples; at += 1) fresh?.push(await startToReady(node));
      await run(process.execPath, [part('long-history'), node.dir, String(entries), tcti]);
      for (let at = 0; at < samples; at += 1) long?.push(await startToReady(node));
      await node.remove();
      const baseline = `start to ready, keys in ${store}, no history`;
      measured.push(
        { name: baseline, unit: 'ms', values: fresh ?? [] },
        {
          name: `start to ready, keys in ${store}, ${entries} entries (wanted 1000)`,
          unit: 'ms',
          values: long ?? [],
          baseline,
        },
      );
    }
    return measured;
  } finally {
    await tpm.remove();
  }
}

/** Leases and starts of a whole daemon: sealed commands over TLS, the journal on the disk, G in a software TPM, filters in the kernel. */
export const suite: BenchSuite = {
  name: 'keys',
  about: 'leases on a node with 1,000 filters and a software TPM, asked to answered, wall time; and starts',
  async run({ quick }) {
    return [...(await cycles(quick ? 5 : 50)), ...(await starts(quick ? 3 : 10, quick ? 1000 : 10_000))];
  },
};
