import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MachineProbes } from '../../bmonitor/host/health/watch.js';
import { limits } from '../../protocol/limits.js';
import { root } from '../run/root.js';
import type { BenchSuite } from './suite.js';

const ticks_per_s = 100;

/** Of this process and of every program that it ran to its end. */
function processorTime_ms(): number {
  const fields = readFileSync('/proc/self/stat', 'latin1').split(') ')[1]?.split(' ') ?? [];
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return (ticks * 1000) / ticks_per_s;
}

export const suite: BenchSuite = {
  name: 'health',
  about:
    'all health probes together: processor time of a round, with the programs it runs, as a share of one processor at the default interval',
  async run({ quick }) {
    const folder = await mkdtemp(join(root, '.health-bench-'));
    try {
      const probes = new MachineProbes({ folder, link: 'lo' });
      await probes.round();
      const shares: number[] = [];
      for (let sample = 0; sample < (quick ? 2 : 7); sample++) {
        const rounds = 5;
        const before = processorTime_ms();
        for (let at = 0; at < rounds; at++) await probes.round();
        shares.push(((processorTime_ms() - before) / rounds / limits.health_every_ms) * 100);
      }
      return [
        {
          name: 'all probes, share of one processor',
          unit: 'percent',
          values: shares,
          wanted: { of: 'median', at: 'most', value: 0.5 },
        },
      ];
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};
