import { logFigures } from './parts/engine-logs.js';
import { manyFigures } from './parts/engine-many.js';
import { startFigures } from './parts/engine-start.js';
import type { BenchSuite } from './suite.js';

/** Engines under the runtime of this machine, commanded through a whole node over its own socket. */
export const suite: BenchSuite = {
  name: 'engines',
  about: 'real engines: their start beside the runtime called by hand, many idle ones, restarts, a noisy log',
  async run(tools) {
    return [...(await startFigures(tools)), ...(await manyFigures(tools)), ...(await logFigures(tools))];
  },
};
