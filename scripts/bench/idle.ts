import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { library } from '../../test/facility/bed/clock.js';
import { root } from '../run/root.js';
import { processorTime_s, resident_mb } from '../run/processor.js';
import { BenchNode, pause } from './parts/bench-node.js';
import { quantile } from './statistics.js';
import type { BenchSuite, Measurement } from './suite.js';

interface Sample {
  readonly at_h: number;
  readonly mb: number;
}

/** The median of the slopes between all pairs (Theil and Sen): a single jump of the allocator does not make a trend. */
export function slope_per_h(samples: readonly Sample[]): number {
  const slopes = samples.flatMap((from, at) =>
    samples.slice(at + 1).map((to) => (to.mb - from.mb) / (to.at_h - from.at_h)),
  );
  return quantile(slopes, 0.5);
}

/** A gateway that takes a connection and ends it: another way for a dial to fail than nobody listening. */
async function rudeGateway(): Promise<{ readonly url: string; readonly server: Server }> {
  const server = createServer((socket) => socket.destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return { url: `wss://127.0.0.1:${port}`, server };
}

async function afterCollection(child: ChildProcess): Promise<NodeJS.MemoryUsage> {
  const told = once(child, 'message') as Promise<[NodeJS.MemoryUsage]>;
  child.send('tell');
  return (await told)[0];
}

/** A daemon that tells what it holds after a collection; the one whose resident memory counts is left alone. */
function watched(node: BenchNode): ChildProcess {
  const teller = join(root, 'dist/scripts/bench/parts/memory-teller.js');
  const cli = join(root, 'dist/bmonitor/cli/index.js');
  return fork(cli, ['run', '--dir', node.dir, '--log', 'warn'], {
    execArgv: ['--expose-gc', '--import', teller],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
}

interface Watch {
  readonly resident: readonly Sample[];
  readonly heap: readonly Sample[];
  readonly external: readonly Sample[];
}

async function watch(pid: number, told: ChildProcess, minutes: number): Promise<Watch> {
  const [resident, heap, external]: Sample[][] = [[], [], []];
  const every_s = Math.max(1, minutes / 2);
  const started = performance.now();
  const hours = (): number => (performance.now() - started) / 3_600_000;
  for (let at = 0; at <= (minutes * 60) / every_s; at += 1) {
    await pause(Math.max(0, at * every_s * 1000 - (performance.now() - started)));
    const at_h = hours();
    resident?.push({ at_h, mb: resident_mb(pid) });
    const usage = await afterCollection(told);
    heap?.push({ at_h, mb: usage.heapUsed / 2 ** 20 });
    external?.push({ at_h, mb: (usage.external + usage.arrayBuffers) / 2 ** 20 });
    if (minutes >= 10 && at % 10 === 0)
      console.error(
        `  ${(at_h * 60).toFixed(1)} min: ${resident?.at(-1)?.mb.toFixed(2)} MB resident, ${heap?.at(-1)?.mb.toFixed(3)} MB of heap`,
      );
  }
  return { resident: resident ?? [], heap: heap ?? [], external: external ?? [] };
}

function secondHalf(samples: readonly Sample[]): readonly Sample[] {
  return samples.slice(Math.floor(samples.length / 2));
}

function figures({ resident, heap, external }: Watch, minutes: number): readonly Measurement[] {
  const growth = (samples: readonly Sample[]): number => {
    const part = Math.max(1, Math.floor(samples.length / 6));
    const mb = samples.map((one) => one.mb);
    return quantile(mb.slice(-part), 0.5) - quantile(mb.slice(0, part), 0.5);
  };
  const row = (name: string, values: readonly number[]): Measurement => ({ name, unit: 'MB', values });
  const of = `second half of ${minutes} min`;
  return [
    row(
      'resident memory',
      resident.map((one) => one.mb),
    ),
    row(`resident memory, growth within the ${of}`, [growth(secondHalf(resident))]),
    row(`resident memory, slope per hour, ${of}`, [slope_per_h(secondHalf(resident))]),
    row(
      'heap after a collection',
      heap.map((one) => one.mb),
    ),
    row(`heap after a collection, growth within the ${of}`, [growth(secondHalf(heap))]),
    row(`heap after a collection, slope per hour, ${of}`, [slope_per_h(secondHalf(heap))]),
    row(`outside the heap, slope per hour, ${of}`, [slope_per_h(secondHalf(external))]),
  ];
}

/** As many hours as minutes: the clocks of this node run so much faster than those of the machine. */
const faster = 60;

/**
 * What the first hours of a node come to: V8 compiles what runs again and again in ever better ways, and then is done. Whether anything goes on
 * growing shows only after that.
 */
async function manyHours(gateways: readonly string[], hours: number): Promise<readonly Measurement[]> {
  const node = await BenchNode.make(...gateways);
  try {
    const pid = await node.start({ LD_PRELOAD: library, FAKETIME: `+0 x${faster}` });
    const samples: Sample[] = [];
    const started = performance.now();
    for (let at_h = 0; at_h <= hours; at_h = ((performance.now() - started) * faster) / 3_600_000) {
      samples.push({ at_h, mb: resident_mb(pid) });
      await pause((hours * 1000) / 4);
    }
    const within = (from_h: number, to_h: number): readonly Sample[] =>
      samples.filter(({ at_h }) => at_h >= from_h && at_h <= to_h);
    const row = (name: string, mb: readonly number[]): Measurement => ({ name, unit: 'MB', values: mb });
    const [first, last] = [within(0, hours / 4), within(hours - hours / 4, hours)];
    return [
      row(
        `resident memory, the last quarter of ${hours} hours`,
        last.map(({ mb }) => mb),
      ),
      row(`resident memory, slope per hour, the first quarter of ${hours} hours`, [slope_per_h(first)]),
      row(`resident memory, slope per hour, the last quarter of ${hours} hours`, [slope_per_h(last)]),
    ];
  } finally {
    await node.remove();
  }
}

/**
 * What a node holds and whether that grows while every console is away and every dial to a gateway fails: `--minutes 60` for the figure
 * that is promised, `--part hours` for what comes after it, in a minute for each hour. Two daemons: one is left alone and its resident memory is read from outside; the other collects when it is asked, so
 * that what it then holds is held on purpose.
 */
export const suite: BenchSuite = {
  name: 'idle',
  about: 'a node nobody speaks to: consoles away, one gateway silent and one that hangs up',
  async run({ quick, parts, minutes = quick ? 0.2 : 2 }) {
    const unknown = parts?.find((part) => part !== 'hours');
    if (unknown !== undefined) throw new Error(`no such part: ${unknown}; there is hours`);
    const { url, server } = await rudeGateway();
    const gateways = ['--gateway', 'wss://127.0.0.1:9', '--gateway', url];
    if (parts)
      try {
        return await manyHours(gateways, minutes);
      } finally {
        server.close();
      }
    const [alone, asked] = [await BenchNode.make(...gateways), await BenchNode.make(...gateways)];
    const told = watched(asked);
    try {
      const pid = await alone.start();
      await afterCollection(told);
      await pause(quick ? 2000 : 15_000);
      const [used, from] = [processorTime_s(pid), performance.now()];
      const seen = await watch(pid, told, minutes);
      const share = (processorTime_s(pid) - used) / ((performance.now() - from) / 1000);
      return [
        ...figures(seen, minutes),
        { name: 'share of one processor', unit: 'percent', values: [share * 100] },
      ];
    } finally {
      told.kill('SIGKILL');
      server.close();
      await alone.remove();
      await asked.remove();
    }
  },
};
