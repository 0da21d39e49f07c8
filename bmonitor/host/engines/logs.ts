import { open, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Result } from '../../../protocol/result.js';
import { limits } from '../../../protocol/limits.js';
import type { EngineLogs } from '../../ports/engines.js';
import { engineFolder } from './runner.js';

const piece_bytes = 64 * 1024;

/** What conmon wrote of an engine: `now`, which it replaces when it is full, and `before`, of the run before. */
export class FolderLogs implements EngineLogs {
  readonly #folderOf: (lease: string) => Promise<Result<string>>;

  constructor(folderOf: (lease: string) => Promise<Result<string>>) {
    this.#folderOf = folderOf;
  }

  async *read(
    { lease, id }: { readonly lease: string; readonly id: string },
    options: { readonly since_ms?: number; readonly follow: boolean; readonly stop: () => boolean },
  ): AsyncGenerator<Uint8Array> {
    const folder = await this.#folderOf(lease);
    if (!folder.ok) return;
    const logs = join(engineFolder(folder.value, id), 'logs');
    const wanted = linesSince(options.since_ms ?? 0);
    yield* onlyWhole(whole(join(logs, 'before')), wanted);
    yield* onlyWhole(
      options.follow ? followed(join(logs, 'now'), options.stop) : whole(join(logs, 'now')),
      wanted,
    );
  }
}

async function* whole(file: string): AsyncGenerator<Buffer> {
  const handle = await open(file, 'r').catch(() => undefined);
  if (!handle) return;
  try {
    yield* rest(handle, 0);
  } finally {
    await handle.close();
  }
}

async function* rest(handle: FileHandle, from: number): AsyncGenerator<Buffer, number> {
  for (let at = from; ;) {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(piece_bytes), 0, piece_bytes, at);
    if (bytesRead === 0) return at;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** To the end of the file, and of the one that takes its place, for as long as somebody listens. */
async function* followed(file: string, stop: () => boolean): AsyncGenerator<Buffer> {
  while (!stop()) {
    const handle = await open(file, 'r').catch(() => undefined);
    if (!handle) {
      await pause();
      continue;
    }
    try {
      const { ino } = await handle.stat();
      let at = 0;
      for (let replaced = false; !stop() && !replaced;) {
        replaced = (await stat(file).catch(() => undefined))?.ino !== ino;
        at = yield* rest(handle, at);
        if (!replaced) await pause();
      }
    } finally {
      await handle.close();
    }
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
