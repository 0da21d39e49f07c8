import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { limits } from '../../../protocol/limits.js';
import { current, putAside } from './log-files.js';

interface Watched {
  /** The folder of the engine's log. */
  readonly logs: string;
  /** The folder of the run, in which conmon listens. */
  readonly run: string;
  bytes: number;
  /** It grows fast: it is looked at again sooner. */
  fast: boolean;
}

/** Puts full logs aside while engines write. When BMonitor is away nobody does, and conmon itself begins the file anew before it is much too large. */
export class LogRotation {
  readonly #watched = new Map<string, Watched>();
  #timer: NodeJS.Timeout | undefined;
  #looking = false;
  #all_ms = 0;

  watch(instance: string, logs: string, run: string): void {
    this.#watched.set(instance, { logs, run, bytes: 0, fast: false });
    this.#timer ??= setInterval(() => void this.#look(), limits.engine_log_full_look_ms);
  }

  forget(instance: string): void {
    this.#watched.delete(instance);
    if (this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#watched.clear();
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    const now_ms = performance.now();
    const all = now_ms - this.#all_ms >= limits.engine_log_quiet_look_ms;
    if (all) this.#all_ms = now_ms;
    for (const one of this.#watched.values())
      if (all || one.fast) await this.#lookAt(one).catch(() => undefined);
    this.#looking = false;
  }

  async #lookAt(one: Watched): Promise<void> {
    const { size } = await stat(join(one.logs, current));
    one.fast = size - one.bytes > limits.engine_log_bytes_max / 32;
    one.bytes = size;
    if (size < limits.engine_log_bytes_max) return;
    // The file has its new name before conmon is told: it is in use until conmon has the next one.
    if (await putAside(one.logs)) await tellConmon(one.run);
    one.bytes = 0;
  }
}

const beginAnew = '2 0 0\n';

/** Conmon's own door for that. Not there, or nobody listens: conmon is gone, and so is who writes. */
async function tellConmon(run: string): Promise<void> {
  const door = await open(join(run, 'ctl'), constants.O_WRONLY | constants.O_NONBLOCK);
  try {
    await door.write(beginAnew);
  } finally {
    await door.close();
  }
}
