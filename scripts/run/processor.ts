import { readdirSync, readFileSync } from 'node:fs';

/** Processor time of a process, in seconds: of all its threads, in user and kernel mode, as the scheduler counts it in nanoseconds. */
export function processorTime_s(pid: number): number {
  const spent_ns = readdirSync(`/proc/${pid}/task`).map((thread) => {
    try {
      return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ', 1)[0]);
    } catch {
      // It ended in the meantime.
      return 0;
    }
  });
  return spent_ns.reduce((sum, one) => sum + one, 0) / 1e9;
}

export function resident_mb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}
