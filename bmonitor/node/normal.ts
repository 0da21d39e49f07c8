import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { readRange } from '../filters/address.js';
import { Bounds } from '../filters/bounds.js';
import type { Filter, Names, NormalFilter, NormalSet } from '../filters/model.js';
import { normaliseFilter, rectangleCount } from '../filters/normalise.js';
import { meets } from '../filters/touch.js';
import type { FilterBlock, FilterState } from './filter-state.js';

/**
 * Filters as numbers, each worked out once. Filters, blocks and names are never changed in place, so that what was made of one
 * holds for as long as it lives: one filter more among ten thousand costs what one filter costs. Remembering changes no answer.
 */
type NamesOf = FilterState['names'];

interface Known {
  readonly normal: NormalFilter;
  /** Undefined: it names nobody, so that no names change what it means. */
  readonly names: NamesOf | undefined;
}

interface KnownBlock {
  readonly names: NamesOf;
  readonly filters: readonly NormalFilter[];
  readonly rectangles: number;
  /** Made when it is first asked for. */
  bounds?: Bounds;
}

const knownFilters = new WeakMap<Filter, Known>();
const knownBlocks = new WeakMap<FilterBlock, KnownBlock>();
const knownNames = new WeakMap<NamesOf, Names>();

function namesOf(names: NamesOf): Names {
  const known = knownNames.get(names) ?? new Map(Object.entries(names));
  knownNames.set(names, known);
  return known;
}

/** Its id is of no meaning: whoever needs one gives it. */
export function normalFilter(filter: Filter, names: NamesOf, where: string): Result<NormalFilter> {
  const known = knownFilters.get(filter);
  if (known && (known.names === undefined || known.names === names)) return ok(known.normal);
  const normal = normaliseFilter(filter, namesOf(names), { id: 0, where });
  if (!normal.ok) return normal;
  // Where no names are given, none was looked up.
  const named =
    namesOf(names).size > 0 && filter.peers?.some((peer) => readRange(peer).kind !== 'range') === true;
  knownFilters.set(filter, { normal: normal.value, names: named ? names : undefined });
  return normal;
}

/** A level's set; the ids are the indexes, and `where` is the place of the list. */
export function normalLevel(filters: FilterState, where = 'filters'): Result<NormalSet> {
  return normalAll(filters, where);
}

/** Of a level's set those that share a point with one of the others; they keep their ids. */
export function normalMeeting(
  filters: FilterState,
  others: readonly NormalFilter[],
  wanted: (filter: NormalFilter) => boolean = () => true,
): Result<NormalSet> {
  const asked = new Bounds(others);
  const list: NormalFilter[] = [];
  let first = 0;
  for (const block of filters.blocks) {
    const known = normalBlock(block, filters.names, first, 'filters');
    if (!known.ok) return known;
    const bounds = (known.value.bounds ??= new Bounds(known.value.filters));
    for (const [at, filter] of known.value.filters.entries())
      if (
        others.some((other, index) => bounds.mayMeet(at, asked, index) && meets(filter, [other])) &&
        wanted(filter)
      )
        list.push({ ...filter, id: first + at });
    first += block.filters.length;
  }
  return ok({ otherwise: filters.otherwise, onRefuse: filters.onRefuse, filters: list });
}

function normalAll(filters: FilterState, where: string): Result<NormalSet> {
  const list: NormalFilter[] = [];
  let first = 0;
  for (const block of filters.blocks) {
    const known = normalBlock(block, filters.names, first, where);
    if (!known.ok) return known;
    for (const [at, filter] of known.value.filters.entries()) list.push({ ...filter, id: first + at });
    first += block.filters.length;
  }
  return ok({ otherwise: filters.otherwise, onRefuse: filters.onRefuse, filters: list });
}

/** Every filter has its meaning, and all together are not too many rectangles. */
export function checkedLevel(filters: FilterState, where: string): Result<void> {
  let rectangles = 0;
  let first = 0;
  for (const block of filters.blocks) {
    const known = normalBlock(block, filters.names, first, where);
    if (!known.ok) return known;
    first += block.filters.length;
    rectangles += known.value.rectangles;
    if (rectangles > limits.filter_rectangles_per_set_max)
      return refuse(
        'too-large',
        `peers times ports come to more than ${limits.filter_rectangles_per_set_max} in this set`,
        { where },
      );
  }
  return ok(undefined);
}

function normalBlock(block: FilterBlock, names: NamesOf, first: number, where: string): Result<KnownBlock> {
  const known = knownBlocks.get(block);
  if (known?.names === names) return ok(known);
  const filters: NormalFilter[] = [];
  let rectangles = 0;
  for (const [at, filter] of block.filters.entries()) {
    const one = normalFilter(filter, names, `${where}[${first + at}]`);
    if (!one.ok) return one;
    filters.push(one.value);
    rectangles += rectangleCount(one.value);
  }
  const made: KnownBlock = { names, filters, rectangles };
  knownBlocks.set(block, made);
  return ok(made);
}
