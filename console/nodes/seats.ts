/**
 * So many at a time, the others in their turn.
 *
 * INVARIANT: a seat is given back once, by its holder or when its time is over, so that one who hangs holds up nobody for long.
 */
export class Seats {
  readonly #most: number;
  readonly #hold_ms: number;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  constructor(most: number, hold_ms: number) {
    this.#most = most;
    this.#hold_ms = hold_ms;
  }

  /** Resolves with how the seat is given back. */
  async take(): Promise<() => void> {
    if (this.#taken >= this.#most) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#taken += 1;
    let held = true;
    const leave = (): void => {
      clearTimeout(timer);
      if (!held) return;
      held = false;
      // Whoever waits takes the seat over, so that none who comes now goes before.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#taken -= 1;
    };
    const timer = setTimeout(leave, this.#hold_ms);
    return leave;
  }
}
