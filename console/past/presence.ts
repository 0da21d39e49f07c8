import { limits } from '../../protocol/limits.js';
import type { Log } from '../../protocol/log.js';
import type { KeyStore } from '../store/port.js';
import { Records } from '../store/records.js';
import { presenceForm } from './record.js';

export interface Away {
  readonly from: number;
  readonly until: number;
}

/** When this console was off, so that what happened meanwhile is shown as fetched and not as seen. */
export class Presence {
  readonly #records: Records<{ readonly times: readonly Away[] }>;
  readonly #now: () => number;
  readonly #log: Log;
  #times: Away[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(store: KeyStore, now: () => number, log: Log) {
    this.#records = new Records(store, 'presence/', presenceForm);
    this.#now = now;
    this.#log = log;
  }

  async begin(): Promise<void> {
    const kept = await this.#records.get('times');
    const now = this.#now();
    this.#times = [...(kept.ok ? kept.value.value.times : []), { from: now, until: now }].slice(
      -limits.past_presences_kept_max,
    );
    await this.#write();
    this.#timer = setInterval(() => void this.#write(), limits.past_presence_ms);
    this.#timer.unref();
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    await this.#write();
  }

  /** Oldest first; the last one ended when this console was started. */
  get away(): readonly Away[] {
    return this.#times.flatMap(({ until }, at) => {
      const next = this.#times[at + 1];
      return next && next.from > until ? [{ from: until, until: next.from }] : [];
    });
  }

  async #write(): Promise<void> {
    const last = this.#times.at(-1);
    if (!last) return;
    // A clock that was put back must not make a time that ends before it began.
    this.#times = [...this.#times.slice(0, -1), { ...last, until: Math.max(last.from, this.#now()) }];
    const written = await this.#records.put('times', { times: this.#times });
    if (!written.ok) this.#log.warn('presence', { code: written.refusal.code });
  }
}
