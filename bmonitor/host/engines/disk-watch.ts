import { statfs } from 'node:fs/promises';
import { limits } from '../../../protocol/limits.js';
import { runTool } from './tools.js';

interface Watched {
  readonly id: string;
  /** The folder of all that the engine writes beside the folders that it mounts: its layer and its log. */
  readonly folder: string;
  readonly bytes_max: number;
}

/**
 * Measures what engines write, and tells of those that take more than they may. Where a kernel had quotas for parts of a file system they would refuse the write itself; not every
 * kernel has, so what is promised is what works everywhere: an engine that takes too much is seen soon, and ended.
 *
 * What each has is only counted when something was written at all: many idle engines cost one question about the file system.
 */
export class DiskWatch {
  readonly #tell: (id: string) => void;
  readonly #watched = new Map<string, Watched>();
  /** What was free when it was last counted, by the kernel's number of the file system's blocks. */
  readonly #counted = new Map<string, bigint>();
  #timer: NodeJS.Timeout | undefined;
  #looking = false;

  constructor(tell: (id: string) => void) {
    this.#tell = tell;
  }

  watch(one: Watched): void {
    this.#watched.set(one.id, one);
    this.#timer ??= setInterval(() => void this.#look(), limits.engine_disk_look_ms);
  }

  forget(id: string): void {
    this.#watched.delete(id);
    if (this.#watched.size > 0) return;
    this.close();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    const places = new Map<string, Watched[]>();
    // Engines of one lease rest in one file system: `<lease>/engines/<id>`.
    for (const one of this.#watched.values()) {
      const place = one.folder.slice(0, one.folder.lastIndexOf('/'));
      places.set(place, [...(places.get(place) ?? []), one]);
    }
    for (const [place, all] of places) if (await this.#changed(place)) await this.#count(all);
    this.#looking = false;
  }

  async #changed(place: string): Promise<boolean> {
    const now = await statfs(place, { bigint: true }).catch(() => undefined);
    if (!now) return false;
    // A file without bytes takes of what there is of files: both count.
    const free = now.bfree * now.bsize + now.ffree * BigInt(limits.engine_disk_file_bytes);
    const before = this.#counted.get(place);
    const moved = before === undefined ? 0n : before - free;
    if (before !== undefined && moved < BigInt(limits.engine_disk_counted_bytes)) {
      if (moved < 0n) this.#counted.set(place, free);
      return false;
    }
    this.#counted.set(place, free);
    return true;
  }

  async #count(all: readonly Watched[]): Promise<void> {
    for (const one of all) {
      const bytes = await diskOf(one.folder);
      if (bytes > one.bytes_max && this.#watched.get(one.id) === one) this.#tell(one.id);
    }
  }
}

/** What a folder takes of its file system; a file counts even if nothing is in it. */
export async function diskOf(folder: string): Promise<number> {
  const asked = [['--block-size=1'], ['--inodes']].map((words) =>
    // It complains of what went away while it counted: an engine that renames without end would else not be counted at all.
    runTool('du', ['-s', '-x', ...words, '--', folder], { partly: true }),
  );
  const [bytes = 0, files = 0] = (await Promise.all(asked)).map((said) =>
    said.ok ? Number.parseInt(said.value, 10) : 0,
  );
  return bytes + files * limits.engine_disk_file_bytes;
}
