import { limits } from '../../protocol/limits.js';
import type { Log } from '../../protocol/log.js';
import type { Clocks } from '../nodes/session.js';

/**
 * Notices when the wall clock was set. What is known of nodes goes by the clock that does not jump, and commands carry a node's nonce; but sessions, tokens and
 * exceptions end by the wall clock, so people have to hear of it.
 */
export class ClockWatch {
  readonly #clocks: Clocks;
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  #apart: number;
  #jumps = 0;

  constructor(clocks: Clocks, log: Log) {
    this.#clocks = clocks;
    this.#log = log;
    this.#apart = clocks.wall() - clocks.steady();
    this.#timer = setInterval(() => this.#look(), limits.clock_look_ms).unref();
  }

  get jumps(): number {
    return this.#jumps;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const apart = this.#clocks.wall() - this.#clocks.steady();
    const by_s = Math.round((apart - this.#apart) / 1000);
    this.#apart = apart;
    if (Math.abs(by_s) < limits.clock_jump_s_min) return;
    this.#jumps += 1;
    const todo = 'see to the time service of this machine; logins, tokens and exceptions end by this clock';
    this.#log.warn('clock-jumped', { by_s, todo });
  }
}
