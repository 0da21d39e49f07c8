/** A place at which the machine can stop: a write before it is begun, after it is done, or an effect. */
export interface Stop {
  /** At which point, counted from 1. */
  readonly at: number;
  /**
   * `kill`: the process ends; what was handed to the system is written. `power`: the power is cut; of what was not acknowledged
   * nothing is left.
   */
  readonly by: 'kill' | 'power';
}

/**
 * Counts the points that one start of the machine passes, and stops it at the one that was asked for. After that nothing the old
 * process still does has any effect: its calls never come back, as if it were not there any more.
 */
export class Power {
  readonly passed: string[] = [];
  readonly stopped: Promise<void>;
  #stop: Stop | undefined;
  #off = false;
  #tell: () => void = () => {};
  readonly #onStop: ((by: Stop['by']) => void)[] = [];

  constructor(stop?: Stop) {
    this.#stop = stop;
    this.stopped = new Promise((resolve) => (this.#tell = resolve));
  }

  get off(): boolean {
    return this.#off;
  }

  /** From now on, counted anew. */
  stopAt(stop: Stop | undefined): void {
    this.passed.length = 0;
    this.#stop = stop;
  }

  onStop(then: (by: Stop['by']) => void): void {
    this.#onStop.push(then);
  }

  /** Resolves when the machine goes on; never when it stops here. */
  async point(name: string): Promise<void> {
    if (this.#off) await never;
    this.passed.push(name);
    if (this.#stop?.at !== this.passed.length) return;
    this.cut(this.#stop.by);
    await never;
  }

  cut(by: Stop['by']): void {
    if (this.#off) return;
    this.#off = true;
    for (const then of this.#onStop) then(by);
    this.#tell();
  }
}

const never = new Promise<never>(() => {});
