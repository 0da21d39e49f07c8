import { ok, type Result } from '../../protocol/result.js';
import { LevelCompiler } from '../filters/compile.js';
import type { Box, BoxChange, LevelBoxes } from '../filters/boxes.js';
import type { Filter, NormalFilter } from '../filters/model.js';
import { changedFilters, filtersOf, sameNames, type FilterState } from './filter-state.js';
import { normalFilter } from './normal.js';
import { wayFilter } from './way.js';
import type { Level } from './state.js';

/** One level as it stands in the kernel. */
export interface CompiledLevel {
  readonly lease: string;
  readonly filters: FilterState;
  readonly boxes: LevelBoxes;
  /** What each filter is called in the boxes. */
  readonly ids: ReadonlyMap<Filter, number>;
}

/** A level, and how its boxes came from those it had before, where that is known. */
export interface Compiled {
  readonly level: CompiledLevel;
  readonly change?: BoxChange;
}

/** The boxes are only listed when somebody looks: most changes are a few boxes more or less. */
class CompiledBoxes implements LevelBoxes {
  readonly otherwise: LevelBoxes['otherwise'];
  readonly onRefuse: LevelBoxes['onRefuse'];
  readonly #compiler: LevelCompiler;
  #list: readonly Box[] | undefined;

  constructor({ otherwise, onRefuse }: FilterState, compiler: LevelCompiler) {
    this.otherwise = otherwise;
    this.onRefuse = onRefuse;
    this.#compiler = compiler;
  }

  get boxes(): readonly Box[] {
    return (this.#list ??= [...this.#compiler.boxes()]);
  }
}

/**
 * Follows the set of one lease, and compiles only what changed where one filter came or went.
 *
 * INVARIANTS:
 * - After a refusal it is of no use: what it remembers may be half of a change.
 */
export class LevelFollower {
  readonly lease: string;
  readonly #compiler: LevelCompiler;
  readonly #ids: Map<Filter, number>;
  #nextId: number;
  #level: CompiledLevel;

  private constructor(
    lease: string,
    filters: FilterState,
    compiler: LevelCompiler,
    ids: Map<Filter, number>,
  ) {
    this.lease = lease;
    this.#compiler = compiler;
    this.#ids = ids;
    // One more than there are filters is the way that was restored.
    this.#nextId = ids.size + 1;
    this.#level = this.#standing(filters);
  }

  static of({ lease, filters }: Level): Result<LevelFollower> {
    const ids = new Map<Filter, number>();
    const normal: NormalFilter[] = [];
    for (const filter of filtersOf(filters)) {
      const one = normalFilter(filter, filters.names, `filters[${normal.length}]`);
      if (!one.ok) return one;
      ids.set(filter, normal.length);
      normal.push({ ...one.value, id: normal.length });
    }
    const restored = filters.restored && wayFilter(filters.restored, normal.length);
    const compiler = LevelCompiler.from(restored ? [...normal, restored] : normal);
    return compiler.ok ? ok(new LevelFollower(lease, filters, compiler.value, ids)) : compiler;
  }

  get level(): CompiledLevel {
    return this.#level;
  }

  /** Undefined: more has changed than one filter, and it is compiled anew more cheaply. */
  follow(filters: FilterState): Result<Compiled> | undefined {
    const before = this.#level.filters;
    if (before === filters) return ok({ level: this.#level });
    if (before.otherwise !== filters.otherwise || before.onRefuse !== filters.onRefuse) return undefined;
    if (!sameNames(before, filters) || before.restored !== filters.restored) return undefined;
    const { added, removed } = changedFilters(before, filters);
    if (added.length + removed.length !== 1) return undefined;
    const change = this.#change(filters, added[0], removed[0]);
    if (!change.ok) return change;
    this.#level = this.#standing(filters);
    return ok({ level: this.#level, change: change.value });
  }

  #change(filters: FilterState, added: Filter | undefined, removed: Filter | undefined): Result<BoxChange> {
    if (removed) {
      const id = this.#ids.get(removed);
      if (id === undefined) throw new Error('a filter went that was never there');
      this.#ids.delete(removed);
      return this.#compiler.remove(id);
    }
    if (!added) throw new Error('one filter came or went');
    const normal = normalFilter(added, filters.names, 'filters');
    if (!normal.ok) return normal;
    const id = this.#nextId++;
    this.#ids.set(added, id);
    return this.#compiler.add({ ...normal.value, id });
  }

  #standing(filters: FilterState): CompiledLevel {
    return {
      lease: this.lease,
      filters,
      boxes: new CompiledBoxes(filters, this.#compiler),
      ids: this.#ids,
    };
  }
}
