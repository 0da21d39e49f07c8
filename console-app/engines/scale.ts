import type { NodeBook } from '../../console/nodes/book.js';
import { limits } from '../../protocol/limits.js';
import type { Log } from '../../protocol/log.js';
import { newId } from '../../protocol/request.js';
import { ok, refuse, type Refusal, type Result } from '../../protocol/result.js';
import { ask, awaitWell, describeOn, engineOn, putBack, type Described } from './ask.js';
import type { ScalePlan } from './choose.js';

export type ScaleStepState =
  | 'waiting'
  | 'starting'
  | 'well'
  | 'passed'
  | 'failed'
  | 'ending'
  | 'ended'
  | 'removed'
  | 'returned'
  | 'not-returned';

interface Step {
  readonly node: string;
  readonly act: 'add' | 'take';
  state: ScaleStepState;
  trouble?: Refusal;
  /** What stood there before; undefined until something was changed, null where there was none. */
  before?: Described | null;
}

/** `short`: as many as there was place for run well; `returned`: it did not run well, and what was added is gone again. */
export interface Scaling {
  readonly id: string;
  readonly engine: string;
  readonly state: 'scaling' | 'done' | 'short' | 'returned' | 'stuck';
  readonly steps: readonly Readonly<Omit<Step, 'before'>>[];
}

export interface ScaleOrder {
  readonly engine: string;
  readonly plan: ScalePlan;
  /** How many nodes at once. */
  readonly atOnce: number;
  /** As in a roll: how long it must run well, and how long that may take. */
  readonly well_ms: number;
  readonly bound_ms: number;
  /** How long what is taken away is given to end; absent, what its description says. */
  readonly grace_s?: number;
  /** What was taken away is removed with what it wrote; else it stays there, stopped, and is the first to be started again. */
  readonly remove: boolean;
}

/**
 * Makes an engine run on more nodes, or on fewer.
 *
 * INVARIANTS:
 * - Nodes on which it stays are not touched.
 * - A node that does not take the engine is passed over for the next best; an engine that was taken and does not run well ends it, and what was added is gone again.
 * - One at a time for one engine.
 */
export class Scalings {
  readonly #book: NodeBook;
  readonly #log: Log;
  readonly #steady: () => number;
  readonly #all = new Map<string, { engine: string; state: Scaling['state']; steps: Step[] }>();

  constructor(parts: { readonly book: NodeBook; readonly log: Log; readonly steady: () => number }) {
    this.#book = parts.book;
    this.#log = parts.log;
    this.#steady = parts.steady;
  }

  get(id: string): Result<Scaling> {
    const found = this.#all.get(id);
    if (!found) return refuse('not-found', 'a scaling is known until the console is started again');
    const steps = found.steps.map(({ before: _itsOwn, ...step }) => step);
    return ok({ id, engine: found.engine, state: found.state, steps });
  }

  begin(order: ScaleOrder): Result<Scaling> {
    for (const one of this.#all.values())
      if (one.engine === order.engine && one.state === 'scaling')
        return refuse('already-there', `${order.engine} is being scaled`);
    const id = newId();
    const { add, take } = order.plan;
    const steps = [
      ...add.map(({ node }): Step => ({ node, act: 'add', state: 'waiting' })),
      ...take.map(({ node }): Step => ({ node, act: 'take', state: 'waiting' })),
    ];
    const scaling = { engine: order.engine, state: 'scaling' as const, steps };
    this.#all.set(id, scaling);
    for (const oldest of this.#all.keys()) {
      if (this.#all.size <= limits.rolls_kept_max) break;
      if (this.#all.get(oldest)?.state !== 'scaling') this.#all.delete(oldest);
    }
    void this.#run(scaling, order).catch((error: unknown) =>
      this.#log.error('scale-fault', { error: String(error) }),
    );
    return this.get(id);
  }

  async #run(scaling: { state: Scaling['state']; steps: Step[] }, order: ScaleOrder): Promise<void> {
    const spare = [...order.plan.spare];
    const waiting = (): Step[] => scaling.steps.filter(({ state }) => state === 'waiting');
    for (let batch = waiting(); batch.length > 0; batch = waiting()) {
      const now = batch.slice(0, order.atOnce);
      await Promise.all(now.map(async (step) => this.#step(step, order)));
      for (const { state } of now) {
        const node = state === 'passed' ? spare.shift() : undefined;
        if (node !== undefined) scaling.steps.push({ node, act: 'add', state: 'waiting' });
      }
      if (!now.some(({ state, act }) => state === 'failed' && act === 'add')) continue;
      scaling.state = await this.#goBack(scaling.steps, order.engine);
      return;
    }
    const { steps } = scaling;
    const added = steps.filter(({ state }) => state === 'well').length;
    if (steps.some(({ state }) => state === 'failed')) scaling.state = 'stuck';
    else scaling.state = added < order.plan.add.length ? 'short' : 'done';
  }

  async #step(step: Step, order: ScaleOrder): Promise<void> {
    const done = await (step.act === 'add' ? this.#add(step, order) : this.#take(step, order));
    if (done.ok) return;
    // What a node refuses before anything of it ran speaks of that node; what ran and was not well speaks of the engine.
    step.state = step.act === 'add' && done.refusal.code !== 'engine-not-well' ? 'passed' : 'failed';
    step.trouble = done.refusal;
    if (step.state !== 'passed' || step.before === undefined) return;
    const back = await putBack(this.#book, step.node, order.engine, step.before);
    if (back.ok) return;
    step.state = 'failed';
    step.trouble = back.refusal;
  }

  async #add(step: Step, order: ScaleOrder): Promise<Result<unknown>> {
    const { engine, plan, well_ms, bound_ms } = order;
    step.state = 'starting';
    const described = await describeOn(this.#book, step.node, engine, plan.settings);
    if (!described.ok) return described;
    step.before = described.value.before ?? null;
    const started = await ask(this.#book, step.node, { type: 'engine.start', name: engine });
    if (!started.ok) return started;
    const { revision } = described.value;
    const gate = { revision, well_ms, bound_ms, steady: this.#steady };
    const well = await awaitWell(this.#book, step.node, engine, gate);
    if (well.ok) step.state = 'well';
    return well;
  }

  async #take(step: Step, { engine, grace_s, bound_ms, remove }: ScaleOrder): Promise<Result<unknown>> {
    step.state = 'ending';
    const grace = grace_s === undefined ? {} : { grace_s };
    const told = await ask(this.#book, step.node, { type: 'engine.stop', name: engine, ...grace });
    if (!told.ok) return told;
    const ended = await this.#awaitEnd(
      step.node,
      engine,
      (grace_s ?? limits.engine_grace_s_max) * 1000 + bound_ms,
    );
    if (!ended.ok) return ended;
    step.state = 'ended';
    if (!remove) return ended;
    const removed = await ask(this.#book, step.node, { type: 'engine.remove', name: engine });
    if (removed.ok) step.state = 'removed';
    return removed;
  }

  async #awaitEnd(node: string, engine: string, bound_ms: number): Promise<Result<unknown>> {
    const end = this.#steady() + bound_ms;
    let last: Result<Described | undefined> = ok(undefined);
    while (this.#steady() < end) {
      last = await engineOn(this.#book, node, engine);
      if (last.ok && (last.value?.engine.state ?? 'stopped') === 'stopped') return ok(true);
      await new Promise((resolve) => setTimeout(resolve, limits.roll_look_ms));
    }
    return last.ok ? refuse('engine-not-well', `it did not end: ${last.value?.engine.state}`) : last;
  }

  async #goBack(steps: readonly Step[], engine: string): Promise<'returned' | 'stuck'> {
    let all: 'returned' | 'stuck' = 'returned';
    for (const step of steps) {
      if (step.before === undefined || step.state === 'passed') continue;
      const back = await putBack(this.#book, step.node, engine, step.before);
      step.state = back.ok ? 'returned' : 'not-returned';
      if (back.ok) continue;
      step.trouble = back.refusal;
      all = 'stuck';
    }
    return all;
  }
}
