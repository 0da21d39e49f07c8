import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { limits } from '../../../protocol/limits.js';

/**
 * What is kept of an engine's log: `now`, to which conmon writes, and what was full before it, by number: `1`, `2`, …
 *
 * A file is put aside by its new name first, and only then is conmon told to begin another: until it does, it writes on into the one that it has
 * open, whatever that is called. So no line is lost between two files, and each is in the place that its number says.
 */
export interface LogFile {
  readonly path: string;
  /** Infinity: it is the one to which conmon writes. */
  readonly number: number;
  readonly inode: number;
  readonly bytes: number;
  readonly mtime_ms: number;
}

export const current = 'now';

/** In the order in which they were written. */
export async function logFiles(folder: string): Promise<readonly LogFile[]> {
  const found: LogFile[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    const number = name === current ? Infinity : /^[1-9][0-9]{0,14}$/u.test(name) ? Number(name) : undefined;
    const path = join(folder, name);
    const facts = number === undefined ? undefined : await stat(path).catch(() => undefined);
    if (number !== undefined && facts)
      found.push({ path, number, inode: facts.ino, bytes: facts.size, mtime_ms: facts.mtimeMs });
  }
  return found.sort((a, b) => a.number - b.number);
}

/** Gives what is written to just now its number; answers whether there was something. What is too old to be kept goes. */
export async function putAside(folder: string): Promise<boolean> {
  const files = await logFiles(folder);
  const now = files.at(-1);
  if (now?.number !== Infinity) return false;
  const before = files.slice(0, -1);
  await rename(now.path, join(folder, String((before.at(-1)?.number ?? 0) + 1)));
  let kept = now.bytes;
  for (const file of before.toReversed()) {
    kept += file.bytes;
    if (kept > limits.engine_logs_bytes_max) await rm(file.path, { force: true });
  }
  return true;
}

/** Before a start: what the last one wrote is put aside. */
export async function beginLog(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await putAside(folder);
}
