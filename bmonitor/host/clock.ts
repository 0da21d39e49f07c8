import { openSync, readSync } from 'node:fs';
import type { Clock } from '../ports/clock.js';

/** /proc/uptime counts suspended time, which Node's own monotonic clock does not. It says hundredths of a second. */
const path = '/proc/uptime';
const space = ' '.charCodeAt(0);

/**
 * Every message asks several times how late it is, so the file stays open and is read again from its start: a quarter of what opening
 * it costs. A value kept for a while instead would be wrong after the machine was suspended, which is what this clock is for.
 */
function openUptime(): () => number {
  const file = openSync(path, 'r');
  const text = Buffer.alloc(64);
  return () => {
    readSync(file, text, 0, text.length, 0);
    return Number(text.toString('latin1', 0, text.indexOf(space))) * 1000;
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
};
