import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';

interface Failures {
  readonly count: number;
  readonly lockedUntil: number;
}

/**
 * Slows down who guesses. After a few failures a name rests for a minute, and twice as long after each further one, up to an hour.
 * Names that nobody has are counted alike, so that the answer does not tell which there are.
 */
export class Lockout {
  readonly #failures = new Map<string, Failures>();

  check(name: string, now: number): Result<true> {
    const { lockedUntil = 0 } = this.#failures.get(name) ?? {};
    if (lockedUntil <= now) return ok(true);
    return refuse('account-locked', `for another ${Math.ceil((lockedUntil - now) / 1000)} s`);
  }

  failed(name: string, now: number): void {
    const count = (this.#failures.get(name)?.count ?? 0) + 1;
    const beyond = count - limits.login_failures_max;
    const rest_ms = Math.min(limits.login_rest_ms * 2 ** Math.max(0, beyond), limits.login_rest_ms_max);
    this.#failures.delete(name);
    this.#failures.set(name, { count, lockedUntil: beyond >= 0 ? now + rest_ms : 0 });
    for (const oldest of this.#failures.keys()) {
      if (this.#failures.size <= limits.login_names_watched_max) return;
      this.#failures.delete(oldest);
    }
  }

  succeeded(name: string): void {
    this.#failures.delete(name);
  }
}
