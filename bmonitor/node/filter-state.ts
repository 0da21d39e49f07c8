import type { ConsoleWay } from '../../protocol/commands.js';
import type { Filter, FilterSet, OnRefuse, Otherwise } from '../filters/model.js';

/**
 * A level's filter set as the node keeps it: in blocks, each stored once under its own name, so that adding one filter to ten
 * thousand writes one block and not ten thousand filters.
 */
export interface FilterState {
  readonly version: number;
  readonly otherwise: Otherwise;
  readonly onRefuse: OnRefuse;
  readonly blocks: readonly FilterBlock[];
  /** What the names in the filters stand for, as the console of the level resolved them. */
  readonly names: Readonly<Record<string, readonly string[]>>;
  /**
   * A change was undone for a console that it had cut off: its way passes here, whatever the filters say, until they are replaced. All else
   * stayed as the change had it.
   */
  readonly restored?: ConsoleWay;
}

export interface FilterBlock {
  readonly id: string;
  readonly filters: readonly Filter[];
}

const blockFilters = 256;

export const closedSet: FilterSet = { otherwise: 'deny', filters: [] };

export function blocksOf(filters: readonly Filter[], newId: (at: number) => string): readonly FilterBlock[] {
  const blocks: FilterBlock[] = [];
  for (let at = 0; at < filters.length; at += blockFilters)
    blocks.push({ id: newId(blocks.length), filters: filters.slice(at, at + blockFilters) });
  return blocks;
}

export function filtersOf(state: FilterState): readonly Filter[] {
  return state.blocks.flatMap((block) => block.filters);
}

export function setOf(state: FilterState): FilterSet {
  return { otherwise: state.otherwise, onRefuse: state.onRefuse, filters: filtersOf(state) };
}

export function filterCount(state: FilterState): number {
  return state.blocks.reduce((sum, block) => sum + block.filters.length, 0);
}

/** Takes out by index, then adds at the end; blocks that are not touched keep their name and are not written again. */
export function changeBlocks(
  blocks: readonly FilterBlock[],
  remove: ReadonlySet<number>,
  add: readonly Filter[],
  newId: (at: number) => string,
): readonly FilterBlock[] {
  const result: FilterBlock[] = [];
  const gone = [...remove];
  let fresh = 0;
  let index = 0;
  for (const block of blocks) {
    const start = index;
    index += block.filters.length;
    const end = index;
    if (!gone.some((at) => at >= start && at < end)) {
      result.push(block);
      continue;
    }
    const kept = block.filters.filter((_, at) => !remove.has(start + at));
    if (kept.length > 0) result.push({ id: newId(fresh++), filters: kept });
  }
  const last = result.at(-1);
  if (add.length > 0 && last && last.filters.length + add.length <= blockFilters)
    result[result.length - 1] = { id: newId(fresh++), filters: [...last.filters, ...add] };
  else result.push(...blocksOf(add, (at) => newId(fresh + at)));
  return result;
}

export interface ChangedFilters {
  readonly added: readonly Filter[];
  readonly removed: readonly Filter[];
}

/** What came and what went, told by looking only into blocks that are not the same. */
export function changedFilters(before: FilterState, after: FilterState): ChangedFilters {
  const old = new Set(before.blocks);
  const now = new Set(after.blocks);
  const gone = new Set(before.blocks.flatMap((block) => (now.has(block) ? [] : block.filters)));
  const came = after.blocks.flatMap((block) => (old.has(block) ? [] : block.filters));
  const added = came.filter((filter) => !gone.delete(filter));
  return { added, removed: [...gone] };
}

/** Does each name stand for the same? Whoever does not change names keeps the object, so that this costs nothing. */
export function sameNames({ names: a }: FilterState, { names: b }: FilterState): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

export function initialFilters(set: FilterSet): FilterState {
  return {
    version: 0,
    otherwise: set.otherwise,
    onRefuse: set.onRefuse ?? 'drop',
    blocks: blocksOf(set.filters, (at) => `initial-${at}`),
    names: {},
  };
}
