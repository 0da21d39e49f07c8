const step_ms = 10;

/**
 * So many dials in a second, whoever asks: when thousands of nodes are lost at once, each of them is tried again soon at first, and all of that together
 * would leave no time for anything else.
 *
 * INVARIANT: turns are given in the order in which they were asked for.
 */
export class DialPace {
  readonly #apart_ms: number;
  readonly #now: () => number;
  #next: number;

  constructor(per_s: number, now: () => number) {
    this.#apart_ms = 1000 / per_s;
    this.#now = now;
    this.#next = now();
  }

  /** How long whoever asks now has to wait; nothing while few ask. */
  wait_ms(): number {
    const now = this.#now();
    const turn = Math.max(now, this.#next);
    this.#next = turn + this.#apart_ms;
    // In steps, so that many wait for one timer.
    return Math.floor((turn - now) / step_ms) * step_ms;
  }

  async turn(): Promise<void> {
    const wait = this.wait_ms();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait).unref());
  }
}
