import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { EngineRunner, RunningEngine } from '../ports/engines.js';
import { Life, type LifeFacts, type Timing, type WantedEngine, type Watch } from './life.js';

type Described = NonNullable<WantedEngine['described']>;

export interface SupervisorParts {
  readonly runner: EngineRunner;
  readonly timing: Timing;
  readonly health?: Watch;
  /** An engine that runs was given other secrets: it is told over its own socket. */
  readonly renewed?: (id: string, names: readonly string[]) => void;
  readonly tell: (
    engine: { readonly lease: string; readonly id: string; readonly name: string },
    kind: string,
    fields: Readonly<Record<string, string | number | boolean>>,
  ) => void;
}

/** All engines of a node: makes what runs match what is wanted. Each has a life of its own, so that none waits for another. */
export class Supervisor {
  readonly #parts: SupervisorParts;
  readonly #lives = new Map<string, Life>();
  readonly #names = new Map<string, string>();
  #adopted: Map<string, RunningEngine> | undefined;

  constructor(parts: SupervisorParts) {
    this.#parts = parts;
    parts.runner.onEnd((id, end) => this.#lives.get(id)?.ended(end));
    parts.runner.onStarved((id, processes) => {
      const lease = this.leaseOf(id);
      if (lease !== undefined)
        parts.tell({ id, lease, name: this.nameOf(id) }, 'engine.starved', { processes });
    });
  }

  /** As it was described; what runs may be of an earlier description. */
  described(id: string): WantedEngine['described'] {
    return this.#lives.get(id)?.described;
  }

  /** What runs, with what it was started with. */
  running(): readonly RunningEngine[] {
    return [...this.#lives.values()].flatMap((life) => life.facts().running ?? []);
  }

  /** The engines of a lease, as they are described. */
  engines(
    lease: string,
  ): readonly { readonly id: string; readonly slot: number; readonly described: Described }[] {
    return [...this.#lives].flatMap(([id, life]) =>
      life.lease === lease && life.described ? [{ id, slot: life.slot, described: life.described }] : [],
    );
  }

  nameOf(id: string): string {
    return this.#names.get(id) ?? '';
  }

  leaseOf(id: string): string | undefined {
    return this.#lives.get(id)?.lease;
  }

  facts(id: string): LifeFacts | undefined {
    return this.#lives.get(id)?.facts();
  }

  /** Everything that is wanted; what else runs is ended and removed. */
  async reconcile(wanted: readonly WantedEngine[]): Promise<Result<void>> {
    const adopted = await this.#adopt(wanted);
    if (!adopted.ok) return adopted;
    const ids = new Set(wanted.map(({ id }) => id));
    for (const [id, life] of this.#lives) if (!ids.has(id)) life.remove();
    for (const engine of wanted) {
      if (engine.described) this.#names.set(engine.id, engine.described.name);
      const life = this.#lives.get(engine.id);
      if (life) life.want(engine);
      else this.#begin(engine);
    }
    return ok(undefined);
  }

  /** What is left of engines that are neither among these nor still being ended. */
  forgetOthers(lease: string, ids: ReadonlySet<string>): Promise<void> {
    return this.#parts.runner.forgetOthers(lease, new Set([...ids, ...this.#lives.keys()]));
  }

  /** Ends all engines of these leases at once. Resolves when none of their processes is left. */
  async halt(leases: ReadonlySet<string>): Promise<Result<void>> {
    const lives = [...this.#lives.values()].filter((life) => leases.has(life.lease));
    let callOff = (): void => {};
    const late = new Promise<'late'>((resolve) => {
      callOff = this.#parts.timing.after(2 * limits.engine_killed_ms_max, () => resolve('late'));
    });
    const halted = await Promise.race([late, Promise.all(lives.map((life) => life.halt()))]);
    callOff();
    return halted === 'late' ? refuse('engine-alive') : ok(undefined);
  }

  #begin(engine: WantedEngine, running = this.#adopted?.get(engine.id)): void {
    const { runner, timing, tell, health, renewed } = this.#parts;
    const { id, lease } = engine;
    const life = new Life(
      {
        runner,
        timing,
        health,
        renewed,
        tell: (kind, fields) =>
          tell({ id, lease, name: this.#names.get(id) ?? '' }, `engine.${kind}`, fields),
      },
      engine,
      running,
    );
    this.#adopted?.delete(id);
    this.#lives.set(id, life);
    void life.gone.then(() => {
      if (this.#lives.get(id) === life) this.#lives.delete(id);
    });
  }

  /** Once: what an earlier BMonitor left running. What nobody wants any more gets a life too, to be ended properly. */
  async #adopt(wanted: readonly WantedEngine[]): Promise<Result<void>> {
    if (this.#adopted) return ok(undefined);
    const found = await this.#parts.runner.adopt();
    if (!found.ok) return found;
    this.#adopted = new Map(found.value.map(({ engine }) => [engine.id, engine]));
    for (const { engine } of found.value)
      this.#begin(wanted.find(({ id }) => id === engine.id) ?? unwanted(engine), engine);
    for (const { engine, ended } of found.value) if (ended) this.#lives.get(engine.id)?.ended(ended);
    return ok(undefined);
  }
}

function unwanted({ id, lease, round, revision }: RunningEngine): WantedEngine {
  return { id, lease, round, revision, slot: 0, layer: 0, wanted: 'stopped', grace_s: 0 };
}
