import { limits } from '../../protocol/limits.js';
import type { Refusal, Result } from '../../protocol/result.js';
import type { EngineEnd, EngineRunner, RunningEngine, StartOrder } from '../ports/engines.js';
import { afterEnd, afterFailure, fresh, type RestartMemory } from './restart.js';

/** An engine as its level wants it. */
export interface WantedEngine extends Omit<StartOrder, 'settings' | 'name'> {
  readonly wanted: 'running' | 'paused' | 'stopped';
  readonly grace_s: number;
  /** Absent while the level's data key is locked: it goes on if it runs, and is not started. */
  readonly described?: Pick<StartOrder, 'settings' | 'name'>;
}

export type LifeState =
  /** Nobody wants it to run, or it ended and its policy leaves it at that. */
  | 'stopped'
  | 'running'
  | 'paused'
  /** It was asked to end, and is given its time. */
  | 'ending'
  /** It ended or could not be started, and is started again soon. */
  | 'waiting'
  /** Its settings cannot be read until a share comes. */
  | 'locked';

export interface LifeFacts {
  readonly state: LifeState;
  readonly running?: RunningEngine;
  readonly restarts: number;
  readonly lastEnd?: EngineEnd;
  readonly lastFailure?: Refusal;
}

export interface Timing {
  /** Wall clock, milliseconds. */
  now(): number;
  /** Answers how to call it off. */
  after(ms: number, then: () => void): () => void;
}

export interface LifeTells {
  (
    kind: 'started' | 'ended' | 'failed' | 'stuck',
    fields: Readonly<Record<string, string | number | boolean>>,
  ): void;
}

/**
 * One engine, from the first start to its removal.
 *
 * INVARIANTS:
 * - One step at a time: what is wanted or happens meanwhile is seen by the next step.
 * - What runs of an earlier round is ended before anything is started.
 * - Nothing is started while the life is halted.
 */
export class Life {
  readonly #runner: EngineRunner;
  readonly #timing: Timing;
  readonly #tell: LifeTells;
  #wanted: WantedEngine;
  #removed = false;
  #halted = false;
  #running: RunningEngine | undefined;
  #ending: { readonly by_ms: number; readonly killed: boolean } | undefined;
  #memory: RestartMemory = fresh;
  #round: number;
  #due_ms: number | undefined = 0;
  #restarts = 0;
  #lastEnd: EngineEnd | undefined;
  #lastFailure: Refusal | undefined;
  #stirred = false;
  #wake: () => void = () => {};
  #callOff: () => void = () => {};
  #onQuiet: (() => void)[] = [];
  readonly gone: Promise<void>;

  constructor(
    parts: { runner: EngineRunner; timing: Timing; tell: LifeTells },
    wanted: WantedEngine,
    running?: RunningEngine,
  ) {
    this.#runner = parts.runner;
    this.#timing = parts.timing;
    this.#tell = parts.tell;
    this.#wanted = wanted;
    this.#round = wanted.round;
    this.#running = running;
    // A moment later: whoever made it must know it before anything happens to it.
    this.gone = Promise.resolve().then(() => this.#live());
  }

  get lease(): string {
    return this.#wanted.lease;
  }

  get described(): WantedEngine['described'] {
    return this.#wanted.described;
  }

  facts(): LifeFacts {
    return {
      state: this.#state(),
      ...(this.#running ? { running: this.#running } : {}),
      restarts: this.#restarts,
      ...(this.#lastEnd ? { lastEnd: this.#lastEnd } : {}),
      ...(this.#lastFailure ? { lastFailure: this.#lastFailure } : {}),
    };
  }

  want(wanted: WantedEngine): void {
    const started = wanted.wanted !== 'stopped' && this.#wanted.wanted === 'stopped';
    this.#wanted = wanted;
    this.#halted = false;
    if (wanted.round !== this.#round || started) {
      this.#round = wanted.round;
      this.#memory = fresh;
      this.#due_ms = 0;
    }
    this.#stir();
  }

  /** It is ended, and everything it wrote is removed. */
  remove(): void {
    this.#removed = true;
    this.#stir();
  }

  /** Ends it at once, and keeps it from starting until something is wanted of it again. Resolves when it does not run. */
  halt(): Promise<void> {
    this.#halted = true;
    this.#stir();
    if (!this.#running) return Promise.resolve();
    return new Promise((resolve) => this.#onQuiet.push(resolve));
  }

  ended(end: EngineEnd): void {
    const ran = this.#running;
    if (!ran) return;
    this.#running = undefined;
    this.#lastEnd = end;
    const asked = this.#ending !== undefined;
    this.#ending = undefined;
    const { described } = this.#wanted;
    if (asked || !described) this.#due_ms = 0;
    else {
      const verdict = afterEnd(described.settings, end, end.at_ms - ran.since_ms, this.#memory);
      this.#memory = verdict.memory;
      this.#due_ms = verdict.after_ms === undefined ? undefined : this.#timing.now() + verdict.after_ms;
      if (verdict.after_ms !== undefined) this.#restarts += 1;
    }
    this.#tell('ended', {
      asked,
      outOfMemory: end.outOfMemory,
      ...(end.outOfDisk ? { outOfDisk: true } : {}),
      ...(end.code === undefined ? {} : { code: end.code }),
    });
    for (const resolve of this.#onQuiet.splice(0)) resolve();
    this.#stir();
  }

  #state(): LifeState {
    if (this.#ending) return 'ending';
    if (this.#running) return this.#running.frozen ? 'paused' : 'running';
    if (this.#wanted.wanted === 'stopped' || this.#due_ms === undefined || this.#halted) return 'stopped';
    return this.#wanted.described ? 'waiting' : 'locked';
  }

  #stir(): void {
    this.#stirred = true;
    this.#wake();
  }

  async #live(): Promise<void> {
    for (;;) {
      this.#stirred = false;
      this.#callOff();
      this.#callOff = () => {};
      const next = this.#running ? await this.#stepRunning(this.#running) : await this.#stepStill();
      if (next === 'gone') return;
      if (!this.#stirred && next === 'wait') await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async #stepRunning(running: RunningEngine): Promise<'again' | 'wait'> {
    const wanted = this.#wanted;
    const now = this.#removed || this.#halted;
    if (now || wanted.wanted === 'stopped' || wanted.round !== running.round)
      return this.#end(running, now ? 0 : wanted.grace_s);
    if (this.#ending) return this.#waitFor(this.#ending.by_ms);
    const frozen = wanted.wanted === 'paused';
    if (frozen === running.frozen) return 'wait';
    const done = await this.#runner.freeze(running.id, frozen);
    if (!done.ok) return this.#failed(done);
    if (this.#running === running) this.#running = { ...running, frozen };
    return 'again';
  }

  async #end(running: RunningEngine, grace_s: number): Promise<'again' | 'wait'> {
    const now = this.#timing.now();
    if (running.frozen) {
      // What is frozen hears no signal.
      await this.#runner.freeze(running.id, false);
      if (this.#running === running) this.#running = { ...running, frozen: false };
      return 'again';
    }
    if (!this.#ending && grace_s > 0) {
      this.#ending = { by_ms: now + grace_s * 1000, killed: false };
      await this.#runner.terminate(running.id);
    } else if (!this.#ending?.killed && (grace_s === 0 || now >= (this.#ending?.by_ms ?? 0))) {
      this.#ending = { by_ms: now + limits.engine_killed_ms_max, killed: true };
      await this.#runner.kill(running.id);
    } else if (this.#ending?.killed === true && now >= this.#ending.by_ms) {
      this.#tell('stuck', {});
      this.#ending = { by_ms: now + limits.engine_killed_ms_max, killed: true };
      await this.#runner.kill(running.id);
    }
    return this.#waitFor(this.#ending?.by_ms ?? now);
  }

  async #stepStill(): Promise<'again' | 'wait' | 'gone'> {
    const wanted = this.#wanted;
    if (this.#removed) {
      const forgotten = await this.#runner.forget(wanted.lease, wanted.id);
      return forgotten.ok ? 'gone' : this.#failed(forgotten);
    }
    const { described } = wanted;
    if (this.#halted || wanted.wanted === 'stopped' || !described || this.#due_ms === undefined)
      return 'wait';
    if (this.#timing.now() < this.#due_ms) return this.#waitFor(this.#due_ms);
    const { id, lease, slot, round, layer, revision } = wanted;
    const order: StartOrder = { id, lease, slot, round, layer, revision, ...described };
    const started = await this.#runner.start(order);
    if (!started.ok) return this.#failed(started);
    this.#lastFailure = undefined;
    this.#running = started.value;
    this.#tell('started', { round });
    return 'again';
  }

  #failed(failed: Result<unknown>): 'wait' {
    if (failed.ok) return 'wait';
    const verdict = afterFailure(this.#memory);
    this.#memory = verdict.memory;
    this.#due_ms = this.#timing.now() + (verdict.after_ms ?? 0);
    this.#lastFailure = failed.refusal;
    this.#tell('failed', { code: failed.refusal.code, why: (failed.refusal.detail ?? '').slice(0, 500) });
    return this.#waitFor(this.#due_ms);
  }

  #waitFor(by_ms: number): 'wait' {
    this.#callOff = this.#timing.after(Math.max(0, by_ms - this.#timing.now()), () => this.#stir());
    return 'wait';
  }
}
