import { existsSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export const library = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';

/**
 * A wall clock of a process's own, that a test can set while the process runs. Only the wall clock: timers and the
 * time since boot go on as they are, as when somebody sets a machine's clock.
 */
export class ProcessClock {
  #offset_ms = 0;
  #write = 0;

  private constructor(private readonly file: string) {}

  static async make(dir: string, name: string): Promise<ProcessClock> {
    if (!existsSync(library)) throw new Error(`there is no ${library}: run npm run setup`);
    const clock = new ProcessClock(join(dir, `clock-${name}`));
    await clock.#set();
    return clock;
  }

  /** The environment that a process needs to live by this clock. */
  get env(): Readonly<Record<string, string>> {
    return {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: this.file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
  }

  now(): number {
    return Date.now() + this.#offset_ms;
  }

  /** Moves the clock from where it stands; back if negative. */
  async jump(by_ms: number): Promise<void> {
    this.#offset_ms += by_ms;
    await this.#set();
  }

  async #set(): Promise<void> {
    const seconds = (this.#offset_ms / 1000).toFixed(3);
    // Replaced, never rewritten: a process may read it at any moment.
    const draft = `${this.file}.${++this.#write}`;
    await writeFile(draft, `${this.#offset_ms < 0 ? '' : '+'}${seconds}\n`);
    await rename(draft, this.file);
  }
}
