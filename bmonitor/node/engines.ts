import type { WantedEngine } from '../engines/life.js';
import type { Supervisor } from '../engines/supervisor.js';
import type { EngineFolders, ImageStore } from '../ports/engines.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { reencryptionOf, type Level, type NodeState } from './state.js';

/** What the state wants of engines, and what must happen to them before the state may change. */
export interface Engines {
  /** Makes what runs match the state. */
  run(state: NodeState): Promise<Result<void>>;
  /** Before a lease goes dark or loses its keys: its engines are dead when this resolves. */
  halt(leases: ReadonlySet<string>): Promise<Result<void>>;
  /** No engine names the folder any more, which is known by the digest of its name. */
  removeFolder(lease: string, digest: string): Promise<Result<void>>;
}

export class SupervisedEngines implements Engines {
  readonly #supervisor: Supervisor;
  readonly #images: ImageStore;
  readonly #folders: EngineFolders;

  constructor(supervisor: Supervisor, images: ImageStore, folders: EngineFolders) {
    this.#folders = folders;
    this.#supervisor = supervisor;
    this.#images = images;
  }

  run(state: NodeState): Promise<Result<void>> {
    return this.#supervisor.reconcile(wantedIn(state));
  }

  halt(leases: ReadonlySet<string>): Promise<Result<void>> {
    return this.#supervisor.halt(leases);
  }

  removeFolder(lease: string, digest: string): Promise<Result<void>> {
    return this.#folders.remove(lease, digest);
  }

  /** Images that no engine names go, after a while, and what a crash left of engines that were removed. */
  async tidy(state: NodeState): Promise<void> {
    for (const { lease, engines, status } of state.levels) {
      // A lease that never described an engine has no directory, and gets none for this.
      if (!engines || status !== 'active' || engines.some((engine) => !engine.described)) continue;
      const used = engines.map((engine) => engine.described?.settings.image ?? '');
      await this.#images.keepOnly(lease, new Set(used));
      await this.#supervisor.forgetOthers(lease, new Set(engines.map(({ id }) => id)));
    }
  }
}

/** For a machine that cannot run engines: nothing runs, so that nothing has to be ended. */
export function noEngines(why: Result<void>): Engines {
  const anyWanted = (state: NodeState): boolean => wantedIn(state).some((one) => one.wanted !== 'stopped');
  return {
    run: (state) => Promise.resolve(anyWanted(state) ? why : ok(undefined)),
    halt: () => Promise.resolve(ok(undefined)),
    removeFolder: () => Promise.resolve(ok(undefined)),
  };
}

export const withoutEngines: Engines = noEngines(refuse('engines-not-here'));

/** Engines of a dark level are kept, and do not run; nor do those whose files are being encrypted anew. */
function wantedIn(state: NodeState): readonly WantedEngine[] {
  const stands = (lease: string): boolean => reencryptionOf(state, lease) !== undefined;
  return state.levels.flatMap(({ lease, status, engines, secrets }) =>
    (engines ?? []).map(({ described, ...engine }) => ({
      ...engine,
      lease,
      wanted: status === 'active' && !stands(lease) ? engine.wanted : 'stopped',
      ...secretsAt(secrets),
      ...(described ? { described } : {}),
    })),
  );
}

/** Only what is named is known: what is locked is left as it is. */
function secretsAt(secrets: Level['secrets']): Pick<WantedEngine, 'secretsAt'> {
  const named = secrets?.filter(({ described }) => described) ?? [];
  return named.length === 0
    ? {}
    : { secretsAt: named.map(({ id, revision }) => `${id}.${revision}`).join(' ') };
}

/** Leases that lose their keys or go dark between two states. */
export function leavingLeases(before: NodeState, after: NodeState): ReadonlySet<string> {
  const leaving = before.levels.filter(({ lease, status, engines }) => {
    const next = after.levels.find((one) => one.lease === lease);
    return (
      (engines?.length ?? 0) > 0 &&
      status === 'active' &&
      (next?.status !== 'active' || (next.engines?.length ?? 0) === 0)
    );
  });
  return new Set(leaving.map(({ lease }) => lease));
}
