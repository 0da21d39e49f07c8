import { limits } from '../../protocol/limits.js';
import type { Log } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { Clocks } from '../nodes/session.js';
import { ownerOf, takeOwnership, type Ownership } from '../store/ownership.js';
import { FencedStore } from '../store/fenced.js';
import type { KeyStore } from '../store/port.js';

/** Of several consoles that share a store, the one that works. */
export interface Turn {
  /** The store, in which every write counts only while it is our turn. */
  readonly store: KeyStore;
  /** Refused once it may be the turn of another, whatever the store says later: asked before anything is sent to a node. */
  may(): Result<true>;
  /** Lets another take over at once. */
  end(): Promise<void>;
}

export interface TurnOptions {
  readonly store: KeyStore;
  readonly instance: string;
  readonly clocks: Clocks;
  readonly log: Log;
  /** Told while another works: who. */
  waiting(holder: string): void;
  /** Told once when the turn is over without our wish. Nothing may be done any more. */
  lost(why: string): void;
}

/** The name of the turn in the store. */
export const consoleTurn = 'console';

/**
 * Waits until it is the turn of this console.
 *
 * INVARIANTS:
 * - Clocks of different machines are never compared: who stands by takes over when the mark of the other has not moved for a whole term
 *   of its own steady clock, and who works stops by itself when its last mark is that old. The store's fence decides in any case.
 */
export async function takeTurn(options: TurnOptions): Promise<Result<Turn>> {
  const { store, instance, clocks, log } = options;
  let seen: { readonly mark: number; readonly at: number } | undefined;
  for (;;) {
    const owner = await ownerOf(store, consoleTurn);
    const stale = seen?.mark === owner?.mark && seen && clocks.steady() - seen.at >= limits.turn_ms;
    // Also a mark under our own name may be that of another: two machines may have been given one name.
    if (owner === undefined || stale === true) {
      const from = clocks.steady();
      // What the other wrote as its end is by its own clock; that it has passed was seen by ours.
      const now = Math.max(clocks.wall(), owner?.until ?? 0);
      const taken = await takeOwnership(
        store,
        consoleTurn,
        { holder: instance, until: now + limits.turn_ms },
        now,
      );
      if (taken.ok) {
        log.info('turn.taken', { instance, token: taken.value.token, after: owner?.holder ?? 'nobody' });
        return ok(new Working(taken.value, from, options));
      }
      if (taken.refusal.code !== 'owned-by-another') return taken;
    } else if (seen?.mark !== owner.mark) {
      seen = { mark: owner.mark, at: clocks.steady() };
      options.waiting(owner.holder);
    }
    await new Promise((resolve) => setTimeout(resolve, limits.turn_renew_ms / 2));
  }
}

class Working implements Turn {
  readonly store: KeyStore;
  readonly #options: TurnOptions;
  readonly #ownership: Ownership;
  readonly #timer: NodeJS.Timeout;
  #marked: number;
  #over = false;

  constructor(ownership: Ownership, marked: number, options: TurnOptions) {
    this.#options = options;
    this.#ownership = ownership;
    this.#marked = marked;
    this.store = new FencedStore(options.store, ownership.condition, () =>
      this.#lose('another console took over'),
    );
    this.#timer = setInterval(() => void this.#renew(), limits.turn_renew_ms);
  }

  may(): Result<true> {
    const { clocks } = this.#options;
    if (!this.#over && clocks.steady() - this.#marked >= limits.turn_ms)
      this.#lose('no sign of life got through');
    return this.#over ? refuse('owned-by-another', 'the turn of this console is over') : ok(true);
  }

  async end(): Promise<void> {
    if (this.#over) return;
    this.#stop();
    await this.#ownership.release();
  }

  async #renew(): Promise<void> {
    if (!this.may().ok) return;
    const { clocks, log } = this.#options;
    const from = clocks.steady();
    const renewed = await this.#ownership.renew(clocks.wall());
    if (renewed.ok) this.#marked = from;
    else if (renewed.refusal.code === 'owned-by-another') this.#lose('another console took over');
    else log.warn('turn.not-renewed', { code: renewed.refusal.code });
  }

  #stop(): void {
    this.#over = true;
    clearInterval(this.#timer);
  }

  #lose(why: string): void {
    if (this.#over) return;
    this.#stop();
    this.#options.lost(why);
  }
}
