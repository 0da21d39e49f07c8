import type { MachinePower } from '../../bmonitor/ports/power.js';
import { ok } from '../../protocol/result.js';

/** For tests that are about something else: what is ordered is over at once. */
export const noPower: MachinePower = {
  actsOn: 'process',
  start: 'the only one',
  wait: () => Promise.resolve(),
  act: () => Promise.resolve(ok('done')),
  light: () => Promise.resolve(ok(undefined)),
};
