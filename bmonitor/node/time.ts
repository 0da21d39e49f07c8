import type { Clock } from '../ports/clock.js';

/**
 * The node's time. It follows the wall clock, with two bounds: it never goes back, neither below the floor that was made durable nor within a
 * start of the node; and a step that the machine's own clock, which counts suspended time, does not confirm is not followed, in
 * either direction, so that nobody ends a lease, or holds one, by setting a clock.
 */
export class NodeTime {
  readonly #clock: Clock;
  readonly #startedWall_ms: number;
  readonly #startedBoot_ms: number;
  #highest_s: number;

  constructor(clock: Clock, floor_s: number) {
    this.#clock = clock;
    this.#startedWall_ms = Math.max(clock.wall(), floor_s * 1000);
    this.#startedBoot_ms = clock.sinceBoot();
    this.#highest_s = floor_s;
  }

  now_s(): number {
    const confirmed_ms = this.#confirmed_ms();
    const time_ms = Math.min(Math.max(this.#clock.wall(), confirmed_ms - slew_ms), confirmed_ms + slew_ms);
    this.#highest_s = Math.max(this.#highest_s, Math.floor(time_ms / 1000));
    return this.#highest_s;
  }

  /** The wall clock stands where the machine's own clock does not confirm it. */
  get forced(): boolean {
    return this.#clock.wall() > this.#confirmed_ms() + slew_ms;
  }

  sinceBoot_ms(): number {
    return this.#clock.sinceBoot();
  }

  #confirmed_ms(): number {
    return this.#startedWall_ms + (this.#clock.sinceBoot() - this.#startedBoot_ms);
  }
}

/** As far as the two clocks may drift apart by being set right slowly; more than this is a step. */
const slew_ms = 60_000;
