import { limits } from '../../protocol/limits.js';
import type { NodeEvent } from './decision.js';
import type { NodeState } from './state.js';

/**
 * Tells the chain that a lease ends soon, while there is time to do something about it: once for each end that is set, and once more after
 * a start. It is a word, not a change: what is remembered of it rests in memory, so that it costs no write of the state.
 */
export class EndingTeller {
  readonly #tell: (event: NodeEvent) => void;
  #told: ReadonlySet<string> = new Set();

  constructor(tell: (event: NodeEvent) => void) {
    this.#tell = tell;
  }

  tick(state: NodeState, now_s: number): void {
    const ending = new Set<string>();
    for (const { lease, status, term } of state.levels) {
      if (!term || status === 'dark' || now_s < term.until_s - limits.lease_ending_s) continue;
      const end = `${lease} ${term.until_s}`;
      ending.add(end);
      if (this.#told.has(end)) continue;
      const to = state.levels.map((_, level) => level);
      this.#tell({ to, kind: 'lease.ending', fields: { lease, until: term.until_s } });
    }
    this.#told = ending;
  }
}
