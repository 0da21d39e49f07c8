import type { NodeBook } from '../../console/nodes/book.js';
import type { EngineSettings } from '../../protocol/engines.js';
import { limits } from '../../protocol/limits.js';
import type { Log } from '../../protocol/log.js';
import { newId } from '../../protocol/request.js';
import { ok, refuse, type Refusal, type Result } from '../../protocol/result.js';
import { ask, awaitWell, describeOn, onEach, putBack, type Described } from './ask.js';

export type StepState = 'waiting' | 'updating' | 'well' | 'failed' | 'returned' | 'not-returned';

export interface Roll {
  readonly id: string;
  readonly engine: string;
  readonly state: 'rolling' | 'done' | 'returned' | 'stuck';
  readonly steps: readonly { readonly node: string; readonly state: StepState; readonly trouble?: Refusal }[];
}

export interface RollOrder {
  readonly engine: string;
  readonly nodes: readonly string[];
  readonly settings: EngineSettings;
  /** How many nodes at once. */
  readonly atOnce: number;
  /** How long it must run well before the next nodes are taken, and how long that may take. */
  readonly well_ms: number;
  readonly bound_ms: number;
}

interface Step {
  node: string;
  state: StepState;
  trouble?: Refusal;
  /** What stood there before; undefined until it is known, null where there was none. */
  before?: Described | null;
}

/**
 * Updates an engine on many nodes, some at a time, each only when those before it run well.
 *
 * INVARIANTS:
 * - The first node that is not well ends the roll, and every node that was touched goes back to what stood there before.
 * - Where something cannot go back, that is said: the roll is `stuck`, never `returned`.
 * - One roll for one engine at a time.
 */
export class Rolls {
  readonly #book: NodeBook;
  readonly #log: Log;
  readonly #steady: () => number;
  readonly #rolls = new Map<string, { engine: string; state: Roll['state']; steps: Step[] }>();

  constructor(parts: { readonly book: NodeBook; readonly log: Log; readonly steady: () => number }) {
    this.#book = parts.book;
    this.#log = parts.log;
    this.#steady = parts.steady;
  }

  get(id: string): Result<Roll> {
    const roll = this.#rolls.get(id);
    if (!roll) return refuse('not-found', 'a roll is known until the console is started again');
    return ok({
      id,
      engine: roll.engine,
      state: roll.state,
      steps: roll.steps.map(({ node, state, trouble }) => ({ node, state, ...(trouble ? { trouble } : {}) })),
    });
  }

  begin(order: RollOrder): Result<Roll> {
    for (const roll of this.#rolls.values())
      if (roll.engine === order.engine && roll.state === 'rolling')
        return refuse('already-there', `${order.engine} is being rolled`);
    const id = newId();
    const steps = order.nodes.map((node): Step => ({ node, state: 'waiting' }));
    this.#rolls.set(id, { engine: order.engine, state: 'rolling', steps });
    for (const oldest of this.#rolls.keys()) {
      if (this.#rolls.size <= limits.rolls_kept_max) break;
      if (this.#rolls.get(oldest)?.state !== 'rolling') this.#rolls.delete(oldest);
    }
    void this.#run(id, order).catch((error: unknown) =>
      this.#log.error('roll-fault', { error: String(error) }),
    );
    return this.get(id);
  }

  async #run(id: string, order: RollOrder): Promise<void> {
    const roll = this.#rolls.get(id);
    if (!roll) return;
    for (let at = 0; at < roll.steps.length; at += order.atOnce) {
      const batch = roll.steps.slice(at, at + order.atOnce);
      await Promise.all(batch.map(async (step) => this.#update(step, order)));
      if (batch.every(({ state }) => state === 'well')) continue;
      roll.state = await this.#goBack(roll.steps, order.engine);
      return;
    }
    roll.state = 'done';
  }

  async #update(step: Step, order: RollOrder): Promise<void> {
    const { engine, settings, well_ms, bound_ms } = order;
    const failed = (trouble: Refusal): void => {
      step.state = 'failed';
      step.trouble = trouble;
    };
    step.state = 'updating';
    const described = await describeOn(this.#book, step.node, engine, settings);
    if (!described.ok) return failed(described.refusal);
    const { before, revision } = described.value;
    step.before = before ?? null;
    const again = before !== undefined && before.engine.said['wanted'] !== 'stopped';
    const started = await ask(this.#book, step.node, {
      type: again ? 'engine.restart' : 'engine.start',
      name: engine,
    });
    if (!started.ok) return failed(started.refusal);
    const gate = { revision, well_ms, bound_ms, steady: this.#steady };
    const well = await awaitWell(this.#book, step.node, engine, gate);
    if (!well.ok) return failed(well.refusal);
    step.state = 'well';
  }

  /** To what stood there before: other settings, or nothing at all. */
  async #goBack(steps: readonly Step[], engine: string): Promise<'returned' | 'stuck'> {
    const touched = steps.filter(({ before }) => before !== undefined);
    const back = await onEach(
      touched.map(({ node }) => node),
      async (node) =>
        putBack(this.#book, node, engine, touched.find((step) => step.node === node)?.before ?? null),
    );
    for (const { node, trouble } of back) {
      const step = touched.find((one) => one.node === node);
      if (!step) continue;
      step.state = trouble ? 'not-returned' : 'returned';
      if (trouble) step.trouble = trouble;
    }
    return back.every(({ trouble }) => trouble === undefined) ? 'returned' : 'stuck';
  }
}
