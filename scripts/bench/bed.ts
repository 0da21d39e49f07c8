import { Bed } from '../../test/facility/bed/index.js';
import type { BenchSuite } from './suite.js';

/** How long the test bed takes, because every facility test pays for it. */
export const suite: BenchSuite = {
  name: 'bed',
  about: 'a facility of four nodes and two offices on this machine',
  async run({ quick }) {
    const rounds = quick ? 2 : 10;
    const create: number[] = [];
    const remove: number[] = [];
    const ping: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const started = performance.now();
      const bed = await Bed.create({ nodes: ['n1', 'n2', 'n3', 'n4'], offices: ['a', 'b'] });
      create.push(performance.now() - started);
      // The first one waits for the probe to start and for neighbours to be found.
      await bed.place('n1').ping(bed.place('n4').ipv4, { patience_ms: 5000 });
      for (let again = 0; again < 10; again++) {
        const asked = performance.now();
        await bed.place('n1').ping(bed.place('n4').ipv4);
        ping.push(performance.now() - asked);
      }
      const leaving = performance.now();
      await bed.remove();
      remove.push(performance.now() - leaving);
    }
    return [
      { name: 'create', unit: 'ms', values: create },
      { name: 'remove', unit: 'ms', values: remove, baseline: 'create' },
      { name: 'one ping through the probe', unit: 'ms', values: ping },
    ];
  },
};
