import { readFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';

/**
 * Everything a bed makes carries one prefix that says who owns it: the process id and its start time, so that a later
 * run can tell a bed in use from one that a crash left behind, without any file that could be lost.
 */
const prefix = 'bed';
const form = /^bed-(\d+)-(\d+)-[0-9a-f]{6}(?=$|-)/;

export interface BedOwner {
  readonly bed: string;
  readonly pid: number;
  readonly started: string;
}

/** Start time of a process in clock ticks since boot (field 22 of its stat), or undefined if there is no such process. */
export function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command name stands in parentheses and may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

export function newBedName(pid: number = process.pid): string {
  const started = startTimeOf(pid);
  if (started === undefined) throw new Error(`no process ${pid} to own a bed`);
  return `${prefix}-${pid}-${started}-${randomBytes(3).toString('hex')}`;
}

/** The owner that a namespace's or directory's name speaks of, or undefined if the name is not a bed's. */
export function ownerOf(name: string): BedOwner | undefined {
  const match = form.exec(name);
  if (match === null) return undefined;
  const [bed, pid, started] = match;
  if (pid === undefined || started === undefined) return undefined;
  return { bed, pid: Number(pid), started };
}

export function isAbandoned(owner: BedOwner): boolean {
  return startTimeOf(owner.pid) !== owner.started;
}
