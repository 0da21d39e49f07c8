import type { KeyStore, Op } from '../../console/store/port.js';
import { limits } from '../../protocol/limits.js';
import type { Result } from '../../protocol/result.js';

interface Waiting {
  readonly op: Op;
  readonly done: (result: Result<unknown>) => void;
}

/** Writes of many leases in few synced writes: those that come while one is under way go together with the next. */
export class Writer {
  #waiting: Waiting[] = [];
  #running = false;

  constructor(private readonly store: KeyStore) {}

  /** Resolves once the write survives a power cut, or failed. */
  write(op: Op): Promise<Result<unknown>> {
    const done = new Promise<Result<unknown>>((resolve) => this.#waiting.push({ op, done: resolve }));
    if (!this.#running) void this.#run();
    return done;
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      const together = this.#waiting.splice(0, limits.dhcp_writes_at_once_max);
      const result = await this.store.write(together.map(({ op }) => op));
      for (const { done } of together) done(result);
    }
    this.#running = false;
  }
}
