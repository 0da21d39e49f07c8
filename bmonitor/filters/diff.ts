import { ok, type Result } from '../../protocol/result.js';
import type { NormalSet } from './model.js';
import { passing, planes, RegionEffort, tooComplex, type Passing, type Region } from './region.js';
import { spellBoxes, type SpelledBox } from './spell.js';

/**
 * What a change of a set allows and takes away, as disjoint boxes. A box with `oneway: false` is a change for
 * connections (and for packets one way, where they did not pass already); one with `oneway: true` a change for packets
 * one way only. The set counts as it is enforced: what `inherit` leaves to the levels above counts as passed.
 */
export interface Difference {
  readonly allowed: readonly SpelledBox[];
  readonly refused: readonly SpelledBox[];
}

export function diff(before: NormalSet, after: NormalSet): Result<Difference> {
  const old = passing(before);
  if (!old.ok) return old;
  const now = passing(after);
  if (!now.ok) return now;
  const effort = new RegionEffort();
  const gained = (to: typeof now.value, from: typeof old.value): readonly SpelledBox[] => {
    const twoway = to.twoway.minus(from.twoway, effort);
    const oneway = to.oneway.minus(from.oneway, effort).minus(twoway, effort);
    return [...spellRegion(twoway, false), ...spellRegion(oneway, true)];
  };
  const difference = { allowed: gained(now.value, old.value), refused: gained(old.value, now.value) };
  return effort.spent ? tooComplex() : ok(difference);
}

export function spellRegion(region: Region, oneway: boolean): readonly SpelledBox[] {
  return planes.flatMap((plane) => region.rects(plane).flatMap((rect) => spellBoxes(plane, rect, oneway)));
}

/** What passes, as disjoint boxes: connections first, then what passes one way only. */
export function spellPassing(passed: Passing): Result<readonly SpelledBox[]> {
  const effort = new RegionEffort();
  const only = passed.oneway.minus(passed.twoway, effort);
  if (effort.spent) return tooComplex();
  return ok([...spellRegion(passed.twoway, false), ...spellRegion(only, true)]);
}
