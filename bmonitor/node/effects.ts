import { ok, type Result } from '../../protocol/result.js';
import type { Effect } from './decision.js';
import type { Directories } from './directories.js';
import { leavingLeases, type Engines } from './engines.js';
import { resting } from './hardware.js';
import type { Jobs } from './jobs.js';
import { approvedBy } from './measurement.js';
import type { NodeState } from './state.js';

export interface EffectRunner {
  /** Makes the machine match the state. Resolves when it does; a refusal means that it could not, and will be tried again. */
  run(effect: Effect, state: NodeState): Promise<Result<void>>;
  /**
   * Works out what the effect will need, while the state is still on its way to the disk. Nothing happens to the machine, and nothing is lost when
   * the effect never comes.
   */
  workOut(effect: Effect, state: NodeState): void;
  /** What must have happened to the machine before the state may become the next one: engines of a lease that ends are dead. */
  before(state: NodeState, next: NodeState): Promise<Result<void>>;
}

/** Makes the kernel filter as a state says. */
export interface Enforcing {
  readonly enforce: (state: NodeState) => Promise<Result<void>>;
  /** See `EffectRunner`. */
  readonly workOut?: (state: NodeState) => void;
}

/** Carries out effects through the ports. */
export class Effects implements EffectRunner {
  readonly #filters: Enforcing;
  readonly #directories: Directories;
  readonly #engines: Engines;
  readonly #allow: (measurement: string | undefined) => Promise<Result<void>>;
  /** The machine is about to go down: engines stop within this time, and none starts. */
  #grace_s: number | undefined;
  /** Set once the core is there: in a turn of its own the state forgets the folder. */
  folderGone: (lease: string, folder: string) => void = () => {};
  /** Set once the core is there, which the jobs need in turn. */
  jobs: Jobs | undefined;

  constructor(
    filters: Enforcing,
    directories: Directories,
    engines: Engines,
    allow: (measurement: string | undefined) => Promise<Result<void>>,
  ) {
    this.#filters = filters;
    this.#allow = allow;
    this.#directories = directories;
    this.#engines = engines;
    directories.beforeClosing = async (lease) => void (await engines.halt(new Set([lease])));
  }

  /** Undefined: engines run again as the levels want it. */
  async rest(grace_s: number | undefined, state: NodeState): Promise<void> {
    if (this.#grace_s === undefined && grace_s === undefined) return;
    this.#grace_s = grace_s;
    await this.run({ kind: 'run-engines' }, state);
  }

  before(state: NodeState, next: NodeState): Promise<Result<void>> {
    const leaving = leavingLeases(state, next);
    return leaving.size === 0 ? Promise.resolve(ok(undefined)) : this.#engines.halt(leaving);
  }

  workOut(effect: Effect, state: NodeState): void {
    if (effect.kind === 'enforce-filters') this.#filters.workOut?.(state);
  }

  run(effect: Effect, state: NodeState): Promise<Result<void>> {
    switch (effect.kind) {
      case 'enforce-filters':
        return this.#filters.enforce(state);
      case 'settle-directories':
        return this.#directories.settle();
      case 'run-engines':
        return this.#engines.run(this.#grace_s === undefined ? state : resting(state, this.#grace_s));
      case 'remove-folder':
        return this.#removeFolder(effect, state);
      case 'settle-measurement':
        return this.#allow(approvedBy(state));
      case 'run-job':
        this.jobs?.run(effect.job);
        return Promise.resolve(ok(undefined));
    }
  }

  /** Only while the state says so: a name may have been given to another folder since this was tried first. */
  async #removeFolder(
    { lease, folder }: Extract<Effect, { kind: 'remove-folder' }>,
    state: NodeState,
  ): Promise<Result<void>> {
    const going = state.levels.find((level) => level.lease === lease)?.goingFolders ?? [];
    if (!going.includes(folder)) return ok(undefined);
    const removed = await this.#engines.removeFolder(lease, folder);
    if (removed.ok) this.folderGone(lease, folder);
    return removed;
  }
}

/** By what an effect that could not be carried out is known. */
export function effectName(effect: Effect): string {
  if (effect.kind === 'run-job') return `${effect.kind} ${effect.job}`;
  return effect.kind === 'remove-folder' ? `${effect.kind} ${effect.lease} ${effect.folder}` : effect.kind;
}

/** Whatever touches keys or leases may open or close a directory. Packets stop first. */
export function withDirectories(effects: readonly Effect[]): readonly Effect[] {
  const after = effects.findLastIndex((effect) => effect.kind === 'enforce-filters') + 1;
  return [...effects.slice(0, after), { kind: 'settle-directories' }, ...effects.slice(after)];
}
