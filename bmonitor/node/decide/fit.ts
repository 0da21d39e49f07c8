import { limits } from '../../../protocol/limits.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import { clamp } from '../../filters/clamp.js';
import { spellPassing } from '../../filters/diff.js';
import type { FilterSet, Names, NormalSet } from '../../filters/model.js';
import { normaliseSet } from '../../filters/normalise.js';
import { prove } from '../../filters/prove.js';
import { passingTogether } from '../../filters/region.js';
import type { SpelledBox } from '../../filters/spell.js';
import { setOf } from '../filter-state.js';
import type { NodeState } from '../state.js';

/** The sets of the levels above `at`, from the top. They were normalised when they were accepted, so they can be now. */
function levelsAbove(state: NodeState, at: number): Result<readonly NormalSet[]> {
  const sets: NormalSet[] = [];
  for (const { filters } of state.levels.slice(0, at)) {
    const set = normaliseSet(setOf(filters), new Map(Object.entries(filters.names)));
    if (!set.ok) return set;
    sets.push(set.value);
  }
  return ok(sets);
}

/**
 * A lower level's filters lie within what the levels above let through together, or are refused with a packet that shows
 * why. Of the levels above it says only which one refuses: their filters are not the lower level's to read.
 */
export function fitsAbove(state: NodeState, at: number, inner: NormalSet): Result<void> {
  if (at === 0) return ok(undefined);
  const above = levelsAbove(state, at);
  if (!above.ok) return above;
  const proof = prove(inner, above.value);
  if (proof.within) return ok(undefined);
  const { direction, peer, protocol, port } = proof.witness;
  const packet = `${direction} ${peer} ${protocol}${port === null ? '' : ` ${port}`}`;
  return refuse('filters-exceed', `${packet} is allowed here, and not by level ${proof.level}`, {
    where: `filters[${proof.inner[0] ?? 0}]`,
    data: { witness: proof.witness, inner: proof.inner, level: proof.level },
  });
}

export interface ClampedToFit {
  readonly set: FilterSet;
  /** What the reply says of it. */
  readonly clamped: {
    readonly changed: number;
    readonly cutCount: number;
    readonly cut: readonly SpelledBox[];
  };
}

/** The largest part of the set that fits, and what was cut off. */
export function clampToFit(state: NodeState, at: number, set: FilterSet, names: Names): Result<ClampedToFit> {
  const above = levelsAbove(state, at);
  if (!above.ok) return above;
  const normal = normaliseSet(set, names, 'command.set');
  if (!normal.ok) return normal;
  if (at === 0) return ok({ set, clamped: { changed: 0, cutCount: 0, cut: [] } });
  const result = clamp({ set, normal: normal.value }, above.value);
  if (!result.ok) return result;
  const { changed, cut } = result.value;
  return ok({
    set: result.value.set,
    clamped: { changed: changed.length, cutCount: cut.length, cut: cut.slice(0, limits.cut_boxes_max) },
  });
}

/** What the levels from the top to `to` let through together: boxes, without names, notes or the filters behind them. */
export function passedAbove(state: NodeState, to: number): Result<readonly SpelledBox[]> {
  const above = levelsAbove(state, to + 1);
  if (!above.ok) return above;
  const passed = passingTogether(above.value);
  if (!passed.ok) return passed;
  const boxes = spellPassing(passed.value);
  if (boxes.length > limits.passed_boxes_max)
    return refuse('too-large', `what passes comes to ${boxes.length} boxes`);
  return ok(boxes);
}
