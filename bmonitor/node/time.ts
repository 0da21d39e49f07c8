import { limits } from '../../protocol/limits.js';
import type { Clock } from '../ports/clock.js';

/**
 * The node's time. It follows the wall clock within two bounds: it never goes back, neither below the floor that was made durable nor within a
 * start of the node; and it is never more than a little ahead of what the machine's own clock, which counts suspended time, confirms since
 * the floor. So nobody ends a lease, or holds one, by setting a clock, not before a start either. A wall clock that stands further ahead is
 * followed only as far as a console of the landlord's, in a fresh command, says the same time.
 */
export class NodeTime {
  readonly #clock: Clock;
  #base_ms: number;
  #baseBoot_ms: number;
  #highest_s: number;

  constructor(clock: Clock, floor_s: number) {
    this.#clock = clock;
    // The floor may be as old as it may become, and a quick restart takes a moment: so much is believed of the wall clock.
    const believed_ms = (floor_s + limits.time_floor_s_max) * 1000;
    this.#base_ms = Math.min(Math.max(clock.wall(), floor_s * 1000), believed_ms);
    this.#baseBoot_ms = clock.sinceBoot();
    this.#highest_s = floor_s;
  }

  now_s(): number {
    const confirmed_ms = this.#confirmed_ms();
    const time_ms = Math.min(Math.max(this.#clock.wall(), confirmed_ms - slew_ms), confirmed_ms + slew_ms);
    this.#highest_s = Math.max(this.#highest_s, Math.floor(time_ms / 1000));
    return this.#highest_s;
  }

  /** How far the wall clock stands ahead of what is believed of it; 0 when it is believed. */
  ahead_s(): number {
    const ahead_ms = this.#clock.wall() - this.#confirmed_ms() - slew_ms;
    return ahead_ms > 0 ? Math.ceil((ahead_ms + slew_ms) / 1000) : 0;
  }

  /** What the time would be if somebody who may say so says what it is: undefined when that confirms no step. */
  confirmedBy(said_s: number): number | undefined {
    if (this.ahead_s() === 0) return undefined;
    const time_s = Math.floor(Math.min(this.#clock.wall() / 1000, said_s + slew_ms / 1000));
    return time_s > this.now_s() ? time_s : undefined;
  }

  /** A step that was confirmed, and is durable. */
  goOnFrom(time_s: number): void {
    this.#base_ms = time_s * 1000;
    this.#baseBoot_ms = this.#clock.sinceBoot();
    this.#highest_s = Math.max(this.#highest_s, time_s);
  }

  sinceBoot_ms(): number {
    return this.#clock.sinceBoot();
  }

  #confirmed_ms(): number {
    return this.#base_ms + (this.#clock.sinceBoot() - this.#baseBoot_ms);
  }
}

/** As far as the two clocks may drift apart by being set right slowly; more than this is a step. */
const slew_ms = 60_000;
