import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../../test/facility/bed/index.js';
import { EngineRig, smallSystem } from '../../../test/facility/engines/rig.js';
import { quantile } from '../statistics.js';
import type { BenchTools, Measurement } from '../suite.js';

const mb = 1e6;

function resident(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/mu.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
}

/** Its own share of what several processes have in common. */
function proportional(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+)/mu.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

interface Handle {
  readonly id: string;
  readonly pid: number;
  readonly watcher: number;
}

function handlesOf(rig: EngineRig): readonly Handle[] {
  const runs = join(rig.runFolder, 'i');
  return readdirSync(runs).flatMap((run) => {
    try {
      return [JSON.parse(readFileSync(join(runs, run, 'handle.json'), 'utf8')) as Handle];
    } catch {
      return [];
    }
  });
}

/** From the signal that ends it to what the next one does. */
async function restarted(rig: EngineRig, { id, pid }: Handle): Promise<number> {
  const file = join(rig.dataFolder, 'engines', id, 'layers', '1', 'upper', 'answer');
  const before = statSync(file).mtimeMs;
  const ended = performance.now();
  process.kill(pid, 'SIGKILL');
  for (const end = ended + 20_000; statSync(file).mtimeMs === before;) {
    if (performance.now() > end) throw new Error('it is not started again');
    await new Promise((resolve) => setTimeout(resolve, 0.5));
  }
  return performance.now() - ended;
}

/** Many engines that do nothing, and the end of each. */
export async function manyFigures({ quick }: BenchTools): Promise<readonly Measurement[]> {
  const count = quick ? 60 : 200;
  const rig = await EngineRig.make();
  const system = smallSystem();
  try {
    const image = rig.import(system);
    const settings = {
      image,
      command: ['sh', '-c', 'echo > /answer; exec sleep 100000'],
      memory_mb: 8,
      grace_s: 0,
    };
    // Some first: what is loaded and compiled once for all of them belongs to none.
    const first = 20;
    for (let at = 0; at < first; at += 1) await rig.run(`first-${at}`, settings);
    await until(() => handlesOf(rig).length === first, { bound_ms: 60_000 });
    const pid = rig.node.pid;
    await settled();
    const before = resident(pid);
    for (let at = 0; at < count; at += 1) await rig.run(`engine-${at}`, settings);
    await until(() => handlesOf(rig).length === first + count, { bound_ms: 180_000 });
    await settled();
    const each = (resident(pid) - before) / count / mb;
    const handles = handlesOf(rig);
    const conmon = handles.map(({ watcher }) => proportional(watcher) / mb);
    const times: number[] = [];
    for (const handle of handles) times.push(await restarted(rig, handle));
    return [
      {
        name: `${count} idle engines: BMonitor's memory for each`,
        unit: 'MB',
        values: [each],
        wanted: { of: 'median', at: 'most', value: 0.3 },
      },
      { name: 'its conmon, beside that', unit: 'MB', values: conmon },
      { name: 'end of an engine to its restart', unit: 'ms', values: times },
      {
        name: 'the same, p99',
        unit: 'ms',
        values: [quantile(times, 0.99)],
        wanted: { of: 'median', at: 'most', value: 250 },
      },
    ];
  } finally {
    await rig.remove();
    rmSync(system, { recursive: true, force: true });
  }
}

/** What was only needed for the starts is given back meanwhile. */
function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5000));
}
