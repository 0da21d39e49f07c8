import { openSync, readSync } from 'node:fs';
import type { Clock } from '../ports/clock.js';

/** /proc/uptime counts suspended time, which Node's own monotonic clock does not. It says hundredths of a second. */
const path = '/proc/uptime';
const space = ' '.charCodeAt(0);

/** Half of what the file can tell apart. */
const readAgain_ms = 5;

/**
 * Every message asks several times how late it is, so the file stays open, is read again from its start, and is not read again before it could
 * say something else: so much time in which this process ran. A machine that was suspended meanwhile is noticed as much later as if the
 * message had been looked at just before.
 */
function openUptime(): () => number {
  const file = openSync(path, 'r');
  const text = Buffer.alloc(64);
  let [read_ms, value_ms] = [-Infinity, 0];
  return () => {
    const now_ms = performance.now();
    if (now_ms - read_ms < readAgain_ms) return value_ms;
    readSync(file, text, 0, text.length, 0);
    read_ms = now_ms;
    return (value_ms = Number(text.toString('latin1', 0, text.indexOf(space))) * 1000);
  };
}

let uptime: (() => number) | undefined;

export const hostClock: Clock = {
  wall: () => Date.now(),
  sinceBoot: () => (uptime ??= openUptime())(),
};

/** The wall clock, and what is to be done later. */
export const hostTiming = {
  now: (): number => Date.now(),
  after(ms: number, then: () => void): () => void {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
  afterOthers: (then: () => void): void => void setImmediate(then),
};
