import { limits } from '../../../protocol/limits.js';
import type { EndReason } from '../../../protocol/receipt.js';
import type { Decision, Given } from '../decision.js';
import { decided } from '../decision.js';
import { ownTime_s, withoutWaiting, type Level, type NodeState } from '../state.js';
import { undoWaiting } from './filters.js';
import { undoWays } from './ways.js';
import { endFrom, range } from './leases.js';

/** What the passing of time does by itself, one thing at a time: the caller asks again until there is nothing left. */
export function decideTime(state: NodeState, given: Given): Decision | undefined {
  const over = state.levels.findIndex((level) => isOver(state, level, given.now_s));
  if (over > 0) return endFrom(state, over, reasonFor(state, over, given.now_s));
  const dark = state.levels.findIndex(
    (level) => level.term && level.status !== 'dark' && given.now_s >= level.term.until_s,
  );
  if (dark > 0) return goDark(state, dark, given.now_s);
  const unconfirmed = state.levels.findIndex(({ waiting }) => waiting && given.now_s >= waiting.undoAt_s);
  if (unconfirmed !== -1) return undoWaiting(state, unconfirmed);
  if (state.ways?.waiting && given.now_s >= state.ways.waiting.undoAt_s) return undoWays(state);
  // What the node knows of the time must not be lost with the power: a clock that is set back then would give leases more of it.
  if (given.now_s - state.timeFloor_s >= limits.time_floor_s_max) return decided(state);
  return undefined;
}

/**
 * Keys are destroyed by the machine's own clock only: a step of the wall clock, confirmed or not, darkens a lease at most, and whoever
 * holds it has the whole time from then on to have it set right.
 */
function isOver(state: NodeState, { status, term }: Level, now_s: number): boolean {
  if (!term || status !== 'dark') return false;
  return ownTime_s(state, term, now_s) >= (term.dark_s ?? term.until_s) + term.destroyAfter_s;
}

/** Had its time passed by the machine's own clock alone? */
function reasonFor(state: NodeState, at: number, now_s: number): EndReason {
  const term = state.levels[at]?.term;
  return term && ownTime_s(state, term, now_s) >= term.until_s ? 'expired' : 'clock-forced';
}

/** A level that goes dark takes along all below it, which hold their rights from it. */
function goDark(state: NodeState, at: number, now_s: number): Decision {
  const levels = state.levels.map((level, index) =>
    index >= at ? darkened(state, level, now_s) : level,
  ) as unknown as NodeState['levels'];
  const leases = state.levels.slice(at).map((level) => level.lease);
  return decided(
    { ...state, levels },
    {
      effects: [{ kind: 'enforce-filters' }, { kind: 'run-engines' }],
      events: leases.map((lease) => ({ to: range(levels.length), kind: 'lease.dark', fields: { lease } })),
      touched: range(levels.length).map((level) => ({ level, sees: 'statement' as const })),
      result: { dark: leases },
    },
  );
}

function darkened(state: NodeState, level: Level, now_s: number): Level {
  const { term } = level;
  if (!term || level.status === 'dark') return withoutWaiting(level);
  // A machine that slept past the end was dark from the end on; one whose clock was stepped is dark from now on.
  const dark_s = Math.min(ownTime_s(state, term, now_s), term.until_s);
  return { ...withoutWaiting(level), status: 'dark', term: { ...term, dark_s } };
}

/** The wall clock stood ahead, and a console of the landlord's says that it is right. */
export function decideConfirmedTime(state: NodeState, given: Given, time_s: number): Decision | undefined {
  const step_s = time_s - given.now_s;
  if (step_s <= 0) return undefined;
  const levels = range(state.levels.length);
  return decided(
    { ...state, timeFloor_s: time_s, stepped_s: (state.stepped_s ?? 0) + step_s },
    {
      events: [{ to: levels, kind: 'clock.stepped', fields: { from: given.now_s, to: time_s } }],
      touched: levels.map((level) => ({ level, sees: 'statement' as const })),
      result: { from: given.now_s, to: time_s },
    },
  );
}
