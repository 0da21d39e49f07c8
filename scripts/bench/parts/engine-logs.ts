import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../../test/facility/bed/index.js';
import { EngineRig, smallSystem } from '../../../test/facility/engines/rig.js';
import type { BenchTools, Measurement } from '../suite.js';

const piece_bytes = 8_000_000;
const line = `${'0123456789'.repeat(20).slice(0, 199)}\n`;

async function commandTimes(rig: EngineRig, goesOn: () => boolean): Promise<readonly number[]> {
  const times: number[] = [];
  while (goesOn()) {
    const asked = performance.now();
    await rig.ask({ type: 'engine.read', name: 'other' });
    times.push(performance.now() - asked);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return times;
}

/** One engine writes as fast as it can, lines of 200 bytes; others are asked about meanwhile. */
export async function logFigures({ quick }: BenchTools): Promise<readonly Measurement[]> {
  const pieces = quick ? 60 : 200;
  const rig = await EngineRig.make();
  const system = smallSystem();
  writeFileSync(join(system, 'piece'), line.repeat(piece_bytes / line.length));
  try {
    const image = rig.import(system);
    const sleeping = { image, command: ['sleep', '100000'], grace_s: 0 };
    await rig.run('other', sleeping);
    await rig.is('other', 'running');
    const end = performance.now() + (quick ? 3000 : 10_000);
    const quiet = await commandTimes(rig, () => performance.now() < end);
    const noise = `i=0; while [ $i -lt ${pieces} ]; do cat /piece; i=$((i+1)); done`;
    const command = [
      'sh',
      '-c',
      `sleep 1; cat /proc/uptime > /begun; ${noise}; cat /proc/uptime > /over; exec sleep 100000`,
    ];
    await rig.run('noisy', { image, command, grace_s: 0, processor_thousandths: 2000 });
    let over = false;
    const busy = commandTimes(rig, () => !over);
    const took = timesOf(rig, pieces).finally(() => (over = true));
    const speed = await took;
    return [
      {
        name: 'a noisy log',
        unit: 'MB_per_s',
        values: [speed],
        wanted: { of: 'median', at: 'least', value: 100 },
      },
      { name: 'a command meanwhile nothing happens', unit: 'ms', values: quiet },
      {
        name: 'a command beside the noisy log',
        unit: 'ms',
        values: await busy,
        baseline: 'a command meanwhile nothing happens',
        wanted: { of: 'ratio', at: 'most', value: 2 },
      },
    ];
  } finally {
    await rig.remove();
    rmSync(system, { recursive: true, force: true });
  }
}

/** What the engine itself wrote down of its clock. */
async function timesOf(rig: EngineRig, pieces: number): Promise<number> {
  const read = async (file: string): Promise<number | undefined> => {
    const door = await rig
      .door({ type: 'engine.exec', name: 'noisy', command: ['cat', file] })
      .catch(() => undefined);
    await door?.ended;
    const said = door?.text() ?? '';
    return /^\d+\./u.test(said) ? Number.parseFloat(said) * 1000 : undefined;
  };
  let over: number | undefined;
  await until(async () => (over = await read('/over')) !== undefined, { bound_ms: 120_000, step_ms: 500 });
  const begun = await read('/begun');
  if (over === undefined || begun === undefined) throw new Error('it did not say when');
  return (pieces * piece_bytes) / 1e6 / ((over - begun) / 1000);
}
