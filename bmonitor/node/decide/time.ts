import { limits } from '../../../protocol/limits.js';
import type { Decision, Given } from '../decision.js';
import { decided } from '../decision.js';
import { withoutWaiting, type Level, type NodeState } from '../state.js';
import { undoWaiting } from './filters.js';
import { endFrom, range } from './leases.js';

/** What the passing of time does by itself, one thing at a time: the caller asks again until there is nothing left. */
export function decideTime(state: NodeState, given: Given): Decision | undefined {
  const over = state.levels.findIndex((level) => level.term && given.now_s >= destroyAt(level.term));
  if (over > 0) return endFrom(state, over, given.timeIsForced ? 'clock-forced' : 'expired');
  const dark = state.levels.findIndex(
    (level) => level.term && level.status !== 'dark' && given.now_s >= level.term.until_s,
  );
  if (dark > 0) return goDark(state, dark);
  const unconfirmed = state.levels.findIndex(({ waiting }) => waiting && given.now_s >= waiting.undoAt_s);
  if (unconfirmed !== -1) return undoWaiting(state, unconfirmed);
  // What the node knows of the time must not be lost with the power: a clock that is set back then would give leases more of it.
  if (given.now_s - state.timeFloor_s >= limits.time_floor_s_max) return decided(state);
  return undefined;
}

function destroyAt(term: NonNullable<Level['term']>): number {
  return term.until_s + term.destroyAfter_s;
}

/** A level that goes dark takes along all below it, which hold their rights from it. */
function goDark(state: NodeState, at: number): Decision {
  const levels = state.levels.map((level, index) =>
    index >= at ? { ...withoutWaiting(level), status: 'dark' as const } : level,
  ) as unknown as NodeState['levels'];
  const leases = state.levels.slice(at).map((level) => level.lease);
  return decided(
    { ...state, levels },
    {
      effects: [{ kind: 'enforce-filters' }],
      events: leases.map((lease) => ({ to: range(levels.length), kind: 'lease.dark', fields: { lease } })),
      touched: range(levels.length).map((level) => ({ level, sees: 'statement' as const })),
      result: { dark: leases },
    },
  );
}
