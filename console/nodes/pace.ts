import { limits } from '../../protocol/limits.js';
import type { Log } from '../../protocol/log.js';
import { Budget } from './budget.js';

/** A small message costs about as much as one of so many bytes. */
const messageBytesMin = 1024;
const toldAgain_ms = 60_000;

/**
 * How fast a console takes in what one node says. A node that says more has to wait in its own connection: it fills no memory, and no other node is heard later
 * for it.
 */
export class Pace {
  readonly #budget: Budget;
  readonly #now: () => number;
  readonly #log: Log;
  readonly #node: string;
  #told = -Infinity;

  constructor(node: string, now: () => number, log: Log) {
    this.#budget = new Budget(limits.node_bytes_per_s, limits.node_burst_bytes, now());
    this.#now = now;
    this.#log = log;
    this.#node = node;
  }

  /** For how many milliseconds nothing more is taken in. */
  spend(bytes: number): number {
    const now = this.#now();
    const wait_ms = this.#budget.spend(Math.max(bytes, messageBytesMin), now);
    if (wait_ms > 0 && now - this.#told >= toldAgain_ms) {
      this.#told = now;
      const todo = 'see what it says (nodes events); quarantine or retire it if nobody can explain it';
      this.#log.warn('node-floods', { node: this.#node, bytes_per_s_max: limits.node_bytes_per_s, todo });
    }
    return wait_ms;
  }
}
