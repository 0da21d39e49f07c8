import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';

interface Failures {
  readonly count: number;
  readonly lockedUntil: number;
  /** Attempts whose outcome is not known yet. */
  readonly open: number;
}

/** One guess that is being judged. It ends in one of these ways. */
export interface Attempt {
  right(): void;
  wrong(): void;
  /** It was neither: too busy, or the store failed. */
  neither(): void;
}

const none: Failures = { count: 0, lockedUntil: 0, open: 0 };

/**
 * Slows down who guesses. After a few failures a name rests for a minute, and twice as long after each further one, up to an hour: for the address that
 * the guesses came from, and, after many from everywhere, for all. So a stranger somewhere does not lock the staff out.
 * Names that nobody has are counted alike, so that the answer does not tell which there are.
 *
 * INVARIANT: a guess is counted before it is judged, so that many at once are no more guesses than one after the other.
 */
export class Lockout {
  readonly #failures = new Map<string, Failures>();

  begin(name: string, source: string, now: number): Result<Attempt> {
    const here = `${name} ${source}`;
    const most = [
      [here, limits.login_failures_max],
      [name, limits.login_failures_everywhere_max],
    ] as const;
    for (const [key, allowed] of most) {
      const { count, lockedUntil, open } = this.#failures.get(key) ?? none;
      if (lockedUntil > now) return locked(lockedUntil - now);
      // After its rest a name has one guess; what waits to be judged counts as wrong until it was right.
      if (open > 0 && count + open >= allowed) return locked(1000);
    }
    for (const [key] of most) this.#put(key, { ...this.#of(key), open: this.#of(key).open + 1 });
    let ended = false;
    const end = (by: () => void): void => {
      if (ended) return;
      ended = true;
      for (const [key] of most)
        this.#put(key, { ...this.#of(key), open: Math.max(0, this.#of(key).open - 1) });
      by();
    };
    return ok({
      right: () => end(() => most.forEach(([key]) => this.#clear(key))),
      wrong: () => end(() => most.forEach(([key, allowed]) => this.#failed(key, allowed, now))),
      neither: () => end(() => {}),
    });
  }

  #of(key: string): Failures {
    return this.#failures.get(key) ?? none;
  }

  #failed(key: string, allowed: number, now: number): void {
    const { count, open } = this.#of(key);
    const beyond = count + 1 - allowed;
    const rest_ms = Math.min(limits.login_rest_ms * 2 ** Math.max(0, beyond), limits.login_rest_ms_max);
    this.#put(key, { count: count + 1, lockedUntil: beyond >= 0 ? now + rest_ms : 0, open });
  }

  #clear(key: string): void {
    const { open } = this.#of(key);
    if (open === 0) this.#failures.delete(key);
    else this.#put(key, { ...none, open });
  }

  /** The oldest is forgotten when there are too many. */
  #put(key: string, failures: Failures): void {
    this.#failures.delete(key);
    this.#failures.set(key, failures);
    for (const oldest of this.#failures.keys()) {
      if (this.#failures.size <= 2 * limits.login_names_watched_max) return;
      this.#failures.delete(oldest);
    }
  }
}

function locked(for_ms: number): Result<never> {
  return refuse('account-locked', `for another ${Math.ceil(for_ms / 1000)} s`);
}
