import type { Log } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { BoxChange, LevelBoxes } from '../filters/boxes.js';
import { ProgramMaker } from '../filters/nft/compile.js';
import { closedPlan, type EngineWay, type NodePlan } from '../filters/nft/plan.js';
import { oldKernelWarning } from '../ports/kernel-version.js';
import type { Comparisons, Firewall, FirewallProgram } from '../ports/firewall.js';
import type { FilterFacts } from './answers.js';
import { LevelFollower, type CompiledLevel } from './compiled-level.js';
import { standingFor, type Standing } from './standing.js';
import type { Level, NodeState } from './state.js';

/** Nothing passes: a level that has not been taken, or has gone dark. */
export const nothing: LevelBoxes = { otherwise: 'deny', onRefuse: 'drop', boxes: [] };

interface Since {
  readonly all_s: number;
  /** Filters whose elements were put there later, by their id. */
  readonly touched: Map<number, number>;
}

/** One filter came or went, and nothing else. */
interface Alone {
  readonly level: number;
  readonly change: BoxChange;
}

/** What a state comes to in the kernel. */
interface Made {
  readonly program: FirewallProgram;
  readonly levels: readonly (CompiledLevel | undefined)[];
  readonly alone: Alone | undefined;
}

/**
 * Makes the kernel filter as the state says. Remembers how each level was compiled, so that one filter more among ten thousand costs
 * what one filter costs.
 */
export class Enforcer {
  readonly #firewall: Firewall;
  #standing: Standing;
  readonly #ways: (state: NodeState) => readonly EngineWay[];
  readonly #maker = new ProgramMaker();
  #followers: readonly (LevelFollower | undefined)[] = [];
  #standingLevels: readonly (CompiledLevel | undefined)[] = [];
  #since: readonly Since[] = [];
  #quarantine = false;
  #ahead: { readonly state: NodeState; readonly standing: Standing; readonly made: Result<Made> } | undefined;
  #last: { readonly ok: boolean; readonly at_s: number; readonly detail?: string } | undefined;

  constructor(
    firewall: Firewall,
    standing: Standing,
    ways: (state: NodeState) => readonly EngineWay[] = () => [],
  ) {
    this.#firewall = firewall;
    this.#standing = standing;
    this.#ways = ways;
  }

  /** The next time it enforces, on these. */
  standOn(standing: Standing): void {
    this.#standing = standing;
  }

  /** While the state is on its way to the disk: what enforcing it will need. Nothing changes in the kernel. */
  workOut(state: NodeState): void {
    const made = this.#make(state);
    this.#ahead = { state, standing: this.#standing, made };
    if (made.ok) this.#firewall.workOut(made.value.program);
  }

  async enforce(state: NodeState, now_s: number): Promise<Result<void>> {
    const made = this.#madeAhead(state) ?? this.#make(state);
    if (!made.ok) return this.#failed(made, now_s);
    const { program, levels, alone } = made.value;
    const applied = await this.#firewall.apply(program);
    if (!applied.ok) return this.#failed(applied, now_s);
    this.#count(levels, alone, { anew: applied.value.recounted, now_s });
    this.#standingLevels = levels;
    this.#last = { ok: true, at_s: now_s };
    return ok(undefined);
  }

  #madeAhead(state: NodeState): Result<Made> | undefined {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    if (ahead === undefined) return undefined;
    if (ahead.state === state && ahead.standing === this.#standing) return ahead.made;
    // What is remembered went with a state that is not the one to be enforced.
    this.#followers = [];
    return undefined;
  }

  #make(state: NodeState): Result<Made> {
    const before = this.#followers;
    const next: (LevelFollower | undefined)[] = [];
    let single: Alone | undefined;
    let touched = state.levels.length === before.length ? 0 : 2;
    for (const [index, level] of state.levels.entries()) {
      const known = before[index];
      const was = known?.level;
      const followed = this.#follow(level, known);
      if (!followed.ok) return followed;
      const { follower, change } = followed.value;
      if (follower?.level !== was) touched += change ? 1 : 2;
      if (change) single = { level: index, change };
      next.push(follower);
    }
    this.#followers = next;
    const levels = next.map((follower) => follower?.level);
    const quarantine = state.quarantine !== undefined;
    const engines = this.#ways(state);
    const { consolePort: _, ...standing } = standingFor(this.#standing, state);
    const plan: NodePlan = {
      ...closedPlan,
      ...standing,
      engines,
      addresses: [...standing.addresses, ...engines.flatMap(({ addresses }) => addresses)],
      levels: levels.map((level) => level?.boxes ?? nothing),
      quarantine,
    };
    const alone = touched === 1 && single && quarantine === this.#quarantine ? single : undefined;
    this.#quarantine = quarantine;
    const program = alone ? this.#maker.change(plan, alone.level, alone.change) : this.#maker.make(plan);
    return ok({ program, levels, alone });
  }

  /** The levels as the kernel holds them. Undefined: nothing passes there. */
  get levels(): readonly (CompiledLevel | undefined)[] {
    return this.#standingLevels;
  }

  /** Since when the kernel's numbers of a filter are whole. */
  countedSince_s(level: number, id: number): number {
    const since = this.#since[level];
    return since?.touched.get(id) ?? since?.all_s ?? 0;
  }

  get addresses(): Standing['addresses'] {
    return this.#standing.addresses;
  }

  facts(): FilterFacts {
    if (!this.#last) return { enforced: 'unknown' };
    const { at_s, detail } = this.#last;
    return {
      ...comparisonFacts(this.#firewall.comparisons),
      ...(this.#last.ok
        ? { enforced: 'yes', since_s: at_s }
        : { enforced: 'no', ...(detail === undefined ? {} : { detail }) }),
    };
  }

  /** Elements that were put there anew count from nothing. */
  #count(
    levels: readonly (CompiledLevel | undefined)[],
    alone: Alone | undefined,
    { anew, now_s }: { readonly anew: boolean; readonly now_s: number },
  ): void {
    this.#since = levels.map((level, at) => {
      const known = this.#since[at];
      if (known && level === this.#standingLevels[at]) return known;
      if (!known || alone?.level !== at || anew) return { all_s: now_s, touched: new Map() };
      for (const { filter } of [...alone.change.added, ...alone.change.removed])
        known.touched.set(filter, now_s);
      return known;
    });
  }

  /** The tables were built anew, and count from nothing. */
  recounted(now_s: number): void {
    this.#since = this.#since.map(() => ({ all_s: now_s, touched: new Map() }));
  }

  #failed(refused: Result<unknown>, at_s: number): Result<void> {
    // What was remembered may not be what stands: the next time everything is compiled anew.
    this.#followers = [];
    const detail = refused.ok ? '' : `${refused.refusal.code} ${refused.refusal.detail ?? ''}`.trim();
    this.#last = { ok: false, at_s, detail };
    return refused.ok ? refuse('internal') : refused;
  }

  /** No follower: the level lets nothing pass, whatever its filters say. */
  #follow(
    level: Level,
    known: LevelFollower | undefined,
  ): Result<{ readonly follower: LevelFollower | undefined; readonly change?: BoxChange }> {
    if (level.status !== 'active') return ok({ follower: undefined });
    const followed = known?.lease === level.lease ? known.follow(level.filters) : undefined;
    if (known && followed) {
      if (!followed.ok) return followed;
      const { change } = followed.value;
      return ok({ follower: known, ...(change ? { change } : {}) });
    }
    const fresh = LevelFollower.of(level);
    return fresh.ok ? ok({ follower: fresh.value }) : fresh;
  }
}

const seconds = (ms: number): number => Math.floor(ms / 1000);

function comparisonFacts({ rulesAt, elementsAt, differed }: Comparisons): Partial<FilterFacts> {
  return {
    ...(rulesAt === undefined ? {} : { readBack_s: seconds(rulesAt) }),
    ...(elementsAt === undefined ? {} : { elementsReadBack_s: seconds(elementsAt) }),
    ...(differed === undefined
      ? {}
      : { differed: { at_s: seconds(differed.at), what: differed.what.slice(0, named_max) } }),
  };
}

/** Of what differed, in a status; the event has more of it. */
const named_max = 16;

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
        enforcer.recounted(tell.now_s());
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
        tell.log.warn('kernel.old', { why: oldKernelWarning(event.version) });
        tell.event('kernel.old', { version: event.version, why: oldKernelWarning(event.version) });
        break;
    }
}
