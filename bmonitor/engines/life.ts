import { engineDefaults } from '../../protocol/engines.js';
import { limits } from '../../protocol/limits.js';
import type { Refusal, Result } from '../../protocol/result.js';
import type { EngineEnd, EngineRunner, RunningEngine, StartOrder } from '../ports/engines.js';
import type { EngineHealth, Unwell } from './health.js';
import { afterEnd, afterFailure, fresh, type RestartMemory } from './restart.js';

/** An engine as its level wants it. */
export interface WantedEngine extends Omit<StartOrder, 'settings' | 'name'> {
  readonly wanted: 'running' | 'paused' | 'stopped';
  readonly grace_s: number;
  /** Changes with every secret of the level. Absent: it has none, or they are locked. */
  readonly secretsAt?: string;
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
    kind: 'started' | 'ended' | 'failed' | 'stuck' | 'renewed',
    fields: Readonly<Record<string, string | number | boolean>>,
  ): void;
}

/** Who follows what runs: its health, its messages. */
export type Watch = Pick<EngineHealth, 'begin' | 'freeze' | 'end'>;

/** Hung, ended, wrong answers and too much memory told apart. */
export function howItEnded({ code, outOfMemory, outOfDisk, unwell }: EngineEnd): string {
  if (outOfDisk) return 'out-of-disk';
  if (outOfMemory) return 'out-of-memory';
  if (unwell) return unwell.why;
  if (code === undefined) return 'unseen';
  // 128 and a signal is what shells say of a process that a signal ended.
  return code > 128 ? 'signal' : 'exit';
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
  readonly #health: Watch | undefined;
  readonly #renewed: (id: string, names: readonly string[]) => void;
  #wanted: WantedEngine;
  #removed = false;
  #halted = false;
  #running: RunningEngine | undefined;
  #ending: { readonly by_ms: number; readonly killed: boolean } | undefined;
  /** Of which state of the level's secrets the engine was given its own. */
  #secretsAt: string | undefined;
  /** It is started again because a secret of its was replaced. */
  #renewing = false;
  /** It is ended because it does not work, and not because anybody wants it ended. */
  #unwell: Unwell | undefined;
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
    parts: {
      runner: EngineRunner;
      timing: Timing;
      tell: LifeTells;
      health?: Watch | undefined;
      renewed?: ((id: string, names: readonly string[]) => void) | undefined;
    },
    wanted: WantedEngine,
    running?: RunningEngine,
  ) {
    this.#runner = parts.runner;
    this.#timing = parts.timing;
    this.#tell = parts.tell;
    this.#wanted = wanted;
    this.#round = wanted.round;
    this.#health = parts.health;
    this.#renewed = parts.renewed ?? ((): void => {});
    this.#running = running;
    if (running) this.#watch(running);
    // A moment later: whoever made it must know it before anything happens to it.
    this.gone = Promise.resolve().then(() => this.#live());
  }

  get lease(): string {
    return this.#wanted.lease;
  }

  get slot(): number {
    return this.#wanted.slot;
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

  ended(seen: EngineEnd): void {
    const ran = this.#running;
    if (!ran) return;
    this.#running = undefined;
    this.#health?.end(ran.id);
    const unwell = this.#unwell;
    const unwanted = this.#unwanted(ran);
    this.#unwell = undefined;
    this.#renewing = false;
    const end: EngineEnd = unwell ? { ...seen, unwell } : seen;
    this.#lastEnd = end;
    // Who is wanted ended is ended by wish, also when it did not work any more.
    const asked = this.#ending !== undefined && (!unwell || unwanted);
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
      how: howItEnded(end),
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
    if (this.#unwanted(running)) return this.#end(running, now ? 0 : wanted.grace_s);
    if (this.#unwell) return this.#end(running, running.settings?.grace_s ?? engineDefaults.grace_s);
    if (this.#ending) return this.#waitFor(this.#ending.by_ms);
    if (wanted.described && wanted.secretsAt !== this.#secretsAt)
      return this.#renew(running, wanted.secretsAt);
    const frozen = wanted.wanted === 'paused';
    if (frozen === running.frozen) return 'wait';
    const done = await this.#runner.freeze(running.id, frozen);
    if (!done.ok) return this.#failed(done);
    if (this.#running === running) {
      this.#running = { ...running, frozen };
      this.#health?.freeze(running.id, frozen);
    }
    return 'again';
  }

  #unwanted(running: RunningEngine): boolean {
    const { wanted, round } = this.#wanted;
    return this.#removed || this.#halted || this.#renewing || wanted === 'stopped' || round !== running.round;
  }

  /** Its secrets may have changed; also a new BMonitor asks that once of what it found running. */
  async #renew(running: RunningEngine, secretsAt: string | undefined): Promise<'again' | 'wait'> {
    const { secrets = [], onSecret = 'tell' } = running.settings ?? {};
    const renewed = await this.#runner.renewSecrets(running.id, secrets);
    if (!renewed.ok) return this.#failed(renewed);
    this.#secretsAt = secretsAt;
    this.#lastFailure = undefined;
    if (renewed.value.length === 0) return 'again';
    this.#tell('renewed', { secrets: renewed.value.join(' ') });
    this.#renewed(running.id, renewed.value);
    if (onSecret === 'hangup') await this.#runner.hangUp(running.id);
    if (onSecret === 'restart') this.#renewing = true;
    return 'again';
  }

  /** An engine that is not started again when it ends is left as it is when it does not work: somebody will want to look at it. */
  #watch(running: RunningEngine): void {
    this.#health?.begin(running, (what) => {
      if (this.#running?.pid !== running.pid || (running.settings?.restart ?? 'always') === 'never') return;
      this.#unwell ??= what;
      this.#stir();
    });
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
    const { id, lease, slot, round, layer, revision, secretsAt } = wanted;
    const order: StartOrder = { id, lease, slot, round, layer, revision, ...described };
    const started = await this.#runner.start(order);
    if (!started.ok) return this.#failed(started);
    this.#lastFailure = undefined;
    this.#secretsAt = secretsAt;
    this.#running = started.value;
    this.#watch(started.value);
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
