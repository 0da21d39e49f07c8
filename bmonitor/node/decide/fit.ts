import { limits } from '../../../protocol/limits.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import { clamp } from '../../filters/clamp.js';
import { spellPassing } from '../../filters/diff.js';
import type { Filter, FilterSet, Names, NormalFilter, NormalSet } from '../../filters/model.js';
import { normaliseSet } from '../../filters/normalise.js';
import { prove, type Exceeds, type Proof } from '../../filters/prove.js';
import { passingTogether } from '../../filters/region.js';
import type { SpelledBox } from '../../filters/spell.js';
import { changedFilters, sameNames, type FilterState } from '../filter-state.js';
import { normalFilter, normalLevel, normalMeeting } from '../normal.js';
import type { NodeState } from '../state.js';

/** The sets of the levels above `at`, from the top. They were normalised when they were accepted, so they can be now. */
function levelsAbove(state: NodeState, at: number): Result<readonly NormalSet[]> {
  const sets: NormalSet[] = [];
  for (const { filters } of state.levels.slice(0, at)) {
    const set = normalLevel(filters);
    if (!set.ok) return set;
    sets.push(set.value);
  }
  return ok(sets);
}

/** What was proved of a set, and under which sets. Sets are never changed in place, so it holds for as long as they live. */
interface Proved {
  readonly above: readonly FilterState[];
  readonly proof: Proof;
}

const proved = new WeakMap<FilterState, Proved>();

/** More than this many changed, and looking at everything costs no more. */
const touchedMax = 64;

function aboveOf(state: NodeState, at: number): readonly FilterState[] {
  return state.levels.slice(0, at).map(({ filters }) => filters);
}

function same(a: readonly FilterState[], b: readonly FilterState[]): boolean {
  return a.length === b.length && a.every((one, index) => one === b[index]);
}

/**
 * Do the filters of a level lie within what those above let through? `before` is a state from which this one came: what was
 * proved there is not proved again, only what the change touches.
 */
export function proofOf(state: NodeState, at: number, before?: NodeState): Result<Proof> {
  const filters = state.levels[at]?.filters;
  if (!filters || at === 0) return ok({ within: true });
  const above = aboveOf(state, at);
  const known = proved.get(filters);
  if (known && same(known.above, above)) return ok(known.proof);
  const short = before && shortProof(state, at, before);
  if (short?.ok === false) return short;
  const proof = short?.value ?? wholeProof(state, at);
  if (!('within' in proof)) return proof;
  proved.set(filters, { above, proof });
  return ok(proof);
}

function wholeProof(state: NodeState, at: number): Proof | Extract<Result<Proof>, { ok: false }> {
  const filters = state.levels[at]?.filters;
  const inner = filters ? normalLevel(filters) : undefined;
  if (inner?.ok === false) return inner;
  const outers = levelsAbove(state, at);
  if (!outers.ok) return outers;
  return inner ? prove(inner.value, outers.value) : { within: true };
}

/**
 * What newly passes below, or no longer passes above, is all that can reach outside when nothing did before. Undefined: the
 * whole has to be looked at, because little is known or much has changed, or because something was found: then the
 * whole proof names the filters.
 */
function shortProof(state: NodeState, at: number, before: NodeState): Result<Proof> | undefined {
  const [own, was] = [state.levels[at]?.filters, before.levels[at]?.filters];
  if (!own || !was || state.levels.length !== before.levels.length) return undefined;
  const known = proved.get(was);
  if (!known?.proof.within || !same(known.above, aboveOf(before, at))) return undefined;
  const suspects = suspectsOf(own, was, state, before, at);
  if (!suspects) return undefined;
  if (!suspects.ok) return suspects;
  const { allows, tightened } = suspects.value;
  if (allows.length === 0 && tightened.length === 0) return ok({ within: true });
  const cut = tightened.length === 0 ? undefined : allowsMeeting(own, tightened);
  if (cut?.ok === false) return cut;
  const asked = [...allows, ...(cut?.value ?? [])];
  if (asked.length > touchedMax) return undefined;
  const denies = normalMeeting(own, asked, (one) => one.action === 'deny');
  if (!denies.ok) return denies;
  const outers: NormalSet[] = [];
  for (const { filters } of state.levels.slice(0, at)) {
    const outer = normalMeeting(filters, asked);
    if (!outer.ok) return outer;
    outers.push(outer.value);
  }
  const proof = prove({ ...denies.value, filters: [...asked, ...denies.value.filters] }, outers);
  return proof.within ? ok(proof) : undefined;
}

function allowsMeeting(own: FilterState, others: readonly NormalFilter[]): Result<readonly NormalFilter[]> {
  const found = normalMeeting(own, others, (one) => one.action === 'allow');
  return found.ok ? ok(found.value.filters) : found;
}

interface Suspects {
  /** What the level itself newly allows. */
  readonly allows: readonly NormalFilter[];
  /** Where a level above lets through less. */
  readonly tightened: readonly NormalFilter[];
}

function suspectsOf(
  own: FilterState,
  was: FilterState,
  state: NodeState,
  before: NodeState,
  at: number,
): Result<Suspects> | undefined {
  const allows: NormalFilter[] = [];
  const tightened: NormalFilter[] = [];
  const take = (list: NormalFilter[], filter: Filter, from: FilterState): Result<void> => {
    const one = normalFilter(filter, from.names, 'filters');
    if (one.ok) list.push(one.value);
    return one.ok ? ok(undefined) : one;
  };
  if (own !== was) {
    if (!sameNames(own, was)) return undefined;
    const { added, removed } = changedFilters(was, own);
    if (added.length + removed.length > touchedMax) return undefined;
    // Under a deny that goes, anything may come to light.
    if (removed.some(({ action }) => action === 'deny')) return undefined;
    for (const filter of added)
      if (filter.action === 'allow') {
        const taken = take(allows, filter, own);
        if (!taken.ok) return taken;
      }
  }
  for (const [index, { filters }] of state.levels.slice(0, at).entries()) {
    const old = before.levels[index]?.filters;
    if (old === filters) continue;
    if (!old || !sameNames(old, filters) || old.otherwise !== filters.otherwise) return undefined;
    const { added, removed } = changedFilters(old, filters);
    if (added.length + removed.length > touchedMax) return undefined;
    const less = [
      ...added.filter(({ action }) => action === 'deny'),
      ...removed.filter(({ action }) => action === 'allow'),
    ];
    for (const filter of less) {
      const taken = take(tightened, filter, filters);
      if (!taken.ok) return taken;
    }
  }
  return ok({ allows, tightened });
}

/**
 * A lower level's filters lie within what the levels above let through together, or are refused with a packet that shows
 * why. Of the levels above it says only which one refuses: their filters are not the lower level's to read.
 */
export function fitsAbove(state: NodeState, at: number, before?: NodeState): Result<void> {
  const proof = proofOf(state, at, before);
  if (!proof.ok) return proof;
  if (proof.value.within) return ok(undefined);
  const { witness, inner, level } = proof.value;
  return refuse('filters-exceed', `${packetOf(proof.value)} is allowed here, and not by level ${level}`, {
    where: `filters[${inner[0] ?? 0}]`,
    data: { witness, inner, level },
  });
}

/** A witness in words. */
export function packetOf({ witness: { direction, peer, protocol, port } }: Exceeds): string {
  return `${direction} ${peer} ${protocol}${port === null ? '' : ` ${port}`}`;
}

/** Levels below whose filters no longer lie within those above, with what shows it. Levels that nothing was asked of yet have none. */
export function misfits(
  state: NodeState,
  above: number,
  before?: NodeState,
): Result<ReadonlyMap<number, Exceeds>> {
  const found = new Map<number, Exceeds>();
  for (const [at, { filters }] of state.levels.entries()) {
    if (at <= above || filters.blocks.length === 0) continue;
    const proof = proofOf(state, at, before);
    if (!proof.ok) return proof;
    if (!proof.value.within) found.set(at, proof.value);
  }
  return ok(found);
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
  if (boxes.ok && boxes.value.length > limits.passed_boxes_max)
    return refuse('too-large', `what passes comes to ${boxes.value.length} boxes`);
  return boxes;
}
