import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Result } from '../../../protocol/result.js';
import { limits } from '../../../protocol/limits.js';
import type { EngineLogs } from '../../ports/engines.js';
import { engineFolder } from './bundle.js';
import { logFiles, type LogFile } from './log-files.js';

const piece_bytes = 64 * 1024;

interface Wish {
  readonly since_ms?: number;
  readonly follow: boolean;
  readonly stop: () => boolean;
}

/** What conmon wrote of an engine, from file to file. */
export class FolderLogs implements EngineLogs {
  readonly #folderOf: (lease: string) => Promise<Result<string>>;

  constructor(folderOf: (lease: string) => Promise<Result<string>>) {
    this.#folderOf = folderOf;
  }

  async *read(
    { lease, id }: { readonly lease: string; readonly id: string },
    wish: Wish,
  ): AsyncGenerator<Uint8Array> {
    const folder = await this.#folderOf(lease);
    if (!folder.ok) return;
    const logs = join(engineFolder(folder.value, id), 'logs');
    yield* onlyWhole(following(logs, wish), linesSince(wish.since_ms ?? 0));
  }
}

/** Every file in its turn, to its end; with `follow` as long as somebody listens. A gap is said, never passed over. */
async function* following(logs: string, { since_ms = 0, follow, stop }: Wish): AsyncGenerator<Buffer> {
  let last: LogFile | undefined;
  while (!stop()) {
    const next = await nextAfter(logs, last, since_ms);
    const handle = next && (await open(next.path, 'r').catch(() => undefined));
    if (!next || !handle) {
      if (!follow) return;
      await pause();
      continue;
    }
    try {
      const { ino } = await handle.stat();
      // It was put aside between the look and the opening: looked at again.
      if (ino !== next.inode) continue;
      if (last && gap(last, next)) yield Buffer.from(gapLine());
      last = yield* toItsEnd(handle, { file: next, logs, follow, stop });
    } finally {
      await handle.close();
    }
    if (last.number === Infinity) return;
  }
}

/** Ends when the file is whole: it was put aside, and conmon writes to another. Answers what it is called then. */
async function* toItsEnd(
  handle: FileHandle,
  { file, logs, follow, stop }: { file: LogFile; logs: string; follow: boolean; stop: () => boolean },
): AsyncGenerator<Buffer, LogFile> {
  for (let at = 0; ;) {
    const files = await logFiles(logs);
    const writing = files.find(({ number }) => number === Infinity);
    at = yield* rest(handle, at);
    const whole = writing !== undefined && writing.inode !== file.inode;
    if (whole || !follow || stop()) {
      const known = files.find(({ inode }) => inode === file.inode);
      return known ?? { ...file, number: file.number === Infinity && whole ? 0 : file.number };
    }
    await pause();
  }
}

async function nextAfter(
  logs: string,
  last: LogFile | undefined,
  since_ms: number,
): Promise<LogFile | undefined> {
  const files = await logFiles(logs);
  if (!last) return files.find((file) => file.number === Infinity || file.mtime_ms >= since_ms);
  return files.find(({ number, inode }) => number > last.number && inode !== last.inode);
}

/** Files between them were destroyed because the log was written faster than it was read. */
function gap(last: LogFile, next: LogFile): boolean {
  return last.number === 0 || (next.number !== Infinity && next.number > last.number + 1);
}

function gapLine(): string {
  const why = 'lines are missing here: they were written faster than they were read, and no more is kept';
  return `${new Date().toISOString()} bmonitor F ${why}\n`;
}

async function* rest(handle: FileHandle, from: number): AsyncGenerator<Buffer, number> {
  for (let at = from; ;) {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(piece_bytes), 0, piece_bytes, at);
    if (bytesRead === 0) return at;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, limits.engine_log_look_ms));
}

/** Lines that begin with a moment; sorted as texts they are sorted in time. */
function linesSince(since_ms: number): (line: Buffer) => boolean {
  const from = since_ms === 0 ? '' : new Date(since_ms).toISOString().slice(0, 23);
  return (line) => from === '' || line.toString('latin1', 0, 23) >= from;
}

/** Cuts at ends of lines, so that no listener gets half of one, and leaves out what is not wanted. */
async function* onlyWhole(
  pieces: AsyncIterable<Buffer>,
  wanted: (line: Buffer) => boolean,
): AsyncGenerator<Buffer> {
  let held: Buffer = Buffer.alloc(0);
  let passing = false;
  for await (const piece of pieces) {
    held = held.length === 0 ? piece : Buffer.concat([held, piece]);
    const end = held.lastIndexOf(0x0a) + 1;
    if (end === 0) continue;
    let from = 0;
    // Once a line is wanted, so are those after it.
    while (!passing && from < end) {
      if (wanted(held.subarray(from))) passing = true;
      else from = held.indexOf(0x0a, from) + 1;
    }
    if (from < end) yield held.subarray(from, end);
    held = held.subarray(end);
  }
}
