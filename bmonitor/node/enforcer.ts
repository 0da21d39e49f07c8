import type { Log } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { LevelCompiler } from '../filters/compile.js';
import type { BoxChange, LevelBoxes } from '../filters/boxes.js';
import type { Filter, Names } from '../filters/model.js';
import { normaliseFilter } from '../filters/normalise.js';
import { ProgramMaker } from '../filters/nft/compile.js';
import { closedPlan, type NodePlan } from '../filters/nft/plan.js';
import type { Firewall } from '../ports/firewall.js';
import type { FilterFacts } from './answers.js';
import { filtersOf, type FilterState } from './filter-state.js';
import type { Level, NodeState } from './state.js';

/** What is fixed while the node runs: its addresses, and the ways to consoles that no filter can close. */
export type Standing = Pick<NodePlan, 'addresses' | 'consoles' | 'engines' | 'dhcp' | 'routers'>;

interface CompiledLevel {
  readonly lease: string;
  readonly filters: FilterState;
  readonly compiler: LevelCompiler;
  readonly ids: ReadonlyMap<Filter, number>;
  readonly boxes: LevelBoxes;
}

/** Nothing passes: a level that has not been taken, or has gone dark. */
const nothing: LevelBoxes = { otherwise: 'deny', onRefuse: 'drop', boxes: [] };

/**
 * Makes the kernel filter as the state says. Remembers how each level was compiled, so that one filter more among ten thousand costs
 * what one filter costs.
 */
export class Enforcer {
  readonly #firewall: Firewall;
  #standing: Standing;
  readonly #maker = new ProgramMaker();
  #levels: readonly (CompiledLevel | undefined)[] = [];
  #nextId = 0;
  #quarantine = false;
  #last: { readonly ok: boolean; readonly at_s: number; readonly detail?: string } | undefined;

  constructor(firewall: Firewall, standing: Standing) {
    this.#firewall = firewall;
    this.#standing = standing;
  }

  /** The next time it enforces, on these. */
  standOn(standing: Standing): void {
    this.#standing = standing;
  }

  async enforce(state: NodeState, now_s: number): Promise<Result<void>> {
    const before = this.#levels;
    const next: (CompiledLevel | undefined)[] = [];
    let single: { readonly level: number; readonly change: BoxChange } | undefined;
    let touched = state.levels.length === before.length ? 0 : 2;
    for (const [index, level] of state.levels.entries()) {
      const known = before[index];
      const compiled = this.#compile(level, known);
      if (!compiled.ok) return this.#failed(compiled, now_s);
      if (compiled.value.level !== known) touched += compiled.value.change ? 1 : 2;
      if (compiled.value.change) single = { level: index, change: compiled.value.change };
      next.push(compiled.value.level);
    }
    this.#levels = next;
    const quarantine = state.quarantine !== undefined;
    const plan: NodePlan = {
      ...closedPlan,
      ...this.#standing,
      levels: next.map((level) => level?.boxes ?? nothing),
      quarantine,
    };
    const alone = touched === 1 && single && quarantine === this.#quarantine ? single : undefined;
    this.#quarantine = quarantine;
    const program = alone ? this.#maker.change(plan, alone.level, alone.change) : this.#maker.make(plan);
    const applied = await this.#firewall.apply(program);
    if (!applied.ok) return this.#failed(applied, now_s);
    this.#last = { ok: true, at_s: now_s };
    return ok(undefined);
  }

  facts(): FilterFacts {
    if (!this.#last) return { enforced: 'unknown' };
    const { at_s, detail } = this.#last;
    return this.#last.ok
      ? { enforced: 'yes', readBack_s: at_s }
      : { enforced: 'no', ...(detail === undefined ? {} : { detail }) };
  }

  /** What stands in the kernel was compared with what should. */
  compared(now_s: number): void {
    if (this.#last?.ok) this.#last = { ok: true, at_s: now_s };
  }

  #failed(refused: Result<unknown>, at_s: number): Result<void> {
    // What was remembered may not be what stands: the next time everything is compiled anew.
    this.#levels = [];
    const detail = refused.ok ? '' : `${refused.refusal.code} ${refused.refusal.detail ?? ''}`.trim();
    this.#last = { ok: false, at_s, detail };
    return refused.ok ? refuse('internal') : refused;
  }

  /** Undefined: the level lets nothing pass, whatever its filters say. */
  #compile(
    { lease, status, filters }: Level,
    known: CompiledLevel | undefined,
  ): Result<{ readonly level: CompiledLevel | undefined; readonly change?: BoxChange }> {
    if (status !== 'active') return ok({ level: undefined });
    if (known?.lease === lease && known.filters === filters) return ok({ level: known });
    const step = known?.lease === lease ? this.#step(filters, known) : undefined;
    if (step) return step;
    const ids = new Map(filtersOf(filters).map((filter) => [filter, this.#nextId++]));
    const normal = [];
    const names = namesOf(filters);
    for (const [filter, id] of ids) {
      const one = normaliseFilter(filter, names, { id, where: `filters[${id}]` });
      if (!one.ok) return one;
      normal.push(one.value);
    }
    const compiler = LevelCompiler.from(normal);
    return compiler.ok ? ok({ level: this.#compiled(lease, filters, compiler.value, ids) }) : compiler;
  }

  /** One filter more or less: only what it touches is compiled. Undefined when more has changed. */
  #step(
    filters: FilterState,
    known: CompiledLevel,
  ): Result<{ readonly level: CompiledLevel; readonly change: BoxChange }> | undefined {
    const { filters: old, compiler, lease } = known;
    if (old.names !== filters.names && JSON.stringify(old.names) !== JSON.stringify(filters.names))
      return undefined;
    if (old.otherwise !== filters.otherwise || old.onRefuse !== filters.onRefuse) return undefined;
    const now = new Set(filtersOf(filters));
    const added = [...now].filter((filter) => !known.ids.has(filter));
    const removed = [...known.ids].filter(([filter]) => !now.has(filter));
    if (added.length + removed.length !== 1) return undefined;
    const ids = new Map(known.ids);
    const [gone] = removed;
    const [fresh] = added;
    if (gone) {
      const change = compiler.remove(gone[1]);
      ids.delete(gone[0]);
      return change.ok
        ? ok({ level: this.#compiled(lease, filters, compiler, ids), change: change.value })
        : change;
    }
    if (!fresh) return undefined;
    const id = this.#nextId++;
    const normal = normaliseFilter(fresh, namesOf(filters), { id, where: 'filters' });
    if (!normal.ok) return normal;
    const change = compiler.add(normal.value);
    ids.set(fresh, id);
    return change.ok
      ? ok({ level: this.#compiled(lease, filters, compiler, ids), change: change.value })
      : change;
  }

  #compiled(
    lease: string,
    filters: FilterState,
    compiler: LevelCompiler,
    ids: ReadonlyMap<Filter, number>,
  ): CompiledLevel {
    const { otherwise, onRefuse } = filters;
    return { lease, filters, compiler, ids, boxes: { otherwise, onRefuse, boxes: [...compiler.boxes()] } };
  }
}

function namesOf(filters: FilterState): Names {
  return new Map(Object.entries(filters.names));
}

/** Tells what happens to the kernel's tables without our doing. */
export async function watchFirewall(
  firewall: Firewall,
  enforcer: Enforcer,
  tell: {
    readonly log: Log;
    event(kind: string, fields: Readonly<Record<string, string | boolean>>): void;
    now_s(): number;
  },
): Promise<void> {
  for await (const event of firewall.events())
    switch (event.kind) {
      case 'altered':
        enforcer.compared(tell.now_s());
        tell.log.error('filters.altered', { what: event.what.join(', '), repaired: event.repaired });
        tell.event('filters.altered', {
          what: event.what.join(', ').slice(0, 500),
          repaired: event.repaired,
        });
        break;
      case 'repair-failed':
        tell.log.error('filters.repair-failed', { why: event.detail });
        tell.event('filters.repair-failed', { why: event.detail.slice(0, 500) });
        break;
      case 'old-kernel':
        tell.log.warn('kernel.old', {
          version: event.version,
          why: 'lookups during a change of filters can miss entries; use a kernel with the fixes',
        });
        break;
    }
}
