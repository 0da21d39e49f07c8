import { readFileSync } from 'node:fs';
import type { Clock } from '../ports/clock.js';

/** /proc/uptime counts suspended time, which Node's own monotonic clock does not. */
export const hostClock: Clock = {
  wall: () => Date.now(),
  sinceBoot: () => Number(readFileSync('/proc/uptime', 'utf8').split(' ', 1)[0]) * 1000,
};
