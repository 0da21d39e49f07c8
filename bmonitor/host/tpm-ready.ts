import type { FileHandle } from 'node:fs/promises';
import { limits } from '../../protocol/limits.js';
import type { Result } from '../../protocol/result.js';
import type { TpmTools } from './tpm-tools.js';

/** How a session comes to be, shows what its policy asks for, and goes. Each is called within a turn of the tools. */
export interface SessionMaker {
  start(): Promise<Result<FileHandle>>;
  /** Shows once more what the policy asks for: a session shows it for one use. */
  prove(session: FileHandle): Promise<Result<unknown>>;
  end(session: FileHandle): Promise<void>;
}

/**
 * Sessions that have shown how the machine was measured before they are needed, because starting one costs four processes and using it
 * one. The TPM itself looks again when a session is used: if anything was measured since, it refuses, and a new session has to show
 * the registers as they are now.
 *
 *   start → proven → used → tired → proven → …        old, refused, or too many: ended
 *
 * INVARIANTS:
 * - `use` is called within a turn of the tools; what is done ahead takes turns of its own, when nothing has been asked for a moment.
 * - A session is in one list, or with one caller.
 */
export class ReadySessions {
  readonly #tools: TpmTools;
  readonly #maker: SessionMaker;
  #proven: Kept[] = [];
  #tired: Kept[] = [];
  #ahead: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(tools: TpmTools, maker: SessionMaker) {
    this.#tools = tools;
    this.#maker = maker;
  }

  /** `work` may be done twice: a session that was kept may turn out to be of no use any more. */
  async use<T>(work: (session: FileHandle) => Promise<Result<T>>): Promise<Result<T>> {
    // Nothing is done ahead between two uses of one command.
    this.#soon(limits.tpm_session_rest_ms);
    const kept = await this.#takeKept();
    if (kept) {
      const done = await work(kept.session);
      if (done.ok) this.#putBack(kept);
      else await this.#maker.end(kept.session);
      if (done.ok) return done;
    }
    const made = await this.#make();
    if (!made.ok) return made;
    const done = await work(made.value.session);
    if (done.ok) this.#putBack(made.value);
    else await this.#maker.end(made.value.session);
    return done;
  }

  /** Gives the sessions back to the TPM, which has room for a few dozen. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#ahead);
    await this.#tools.inTurn(() => this.giveBack());
  }

  /** Within a turn. */
  async giveBack(): Promise<void> {
    await this.#end([...this.#proven.splice(0), ...this.#tired.splice(0)]);
  }

  async #takeKept(): Promise<Kept | undefined> {
    const proven = this.#proven.shift();
    if (proven) return proven;
    const tired = this.#tired.shift();
    if (!tired) return undefined;
    if ((await this.#maker.prove(tired.session)).ok) return tired;
    await this.#maker.end(tired.session);
    return undefined;
  }

  async #make(): Promise<Result<Kept>> {
    const started = await this.#maker.start();
    if (!started.ok) return started;
    const proved = await this.#maker.prove(started.value);
    if (proved.ok) return { ok: true, value: { session: started.value, since_ms: performance.now() } };
    await this.#maker.end(started.value);
    return proved;
  }

  #putBack(kept: Kept): void {
    this.#tired.push(kept);
    this.#soon(limits.tpm_session_rest_ms);
  }

  /** Later, each time that something is asked for: what is done ahead shall not stand in the way of what is asked. */
  #soon(after_ms: number): void {
    clearTimeout(this.#ahead);
    if (this.#closed) return;
    this.#ahead = setTimeout(() => void this.#tools.inTurn(() => this.#doAhead()), after_ms).unref();
  }

  /** One session in a turn. */
  async #doAhead(): Promise<void> {
    if (this.#closed) return;
    const old = (kept: Kept): boolean => performance.now() - kept.since_ms > limits.tpm_session_life_ms_max;
    const all = [...this.#proven, ...this.#tired];
    await this.#end(all.filter(old));
    this.#proven = this.#proven.filter((kept) => !old(kept));
    this.#tired = this.#tired.filter((kept) => !old(kept));
    const tired = this.#tired.shift();
    if (tired) {
      if ((await this.#maker.prove(tired.session)).ok) this.#proven.push(tired);
      else await this.#maker.end(tired.session);
    } else if (this.#proven.length < limits.tpm_sessions_kept_max) {
      const made = await this.#make();
      // What a TPM refuses now it would refuse again: whoever needs it will hear.
      if (!made.ok) return;
      this.#proven.push(made.value);
    }
    const more = this.#tired.length > 0 || this.#proven.length < limits.tpm_sessions_kept_max;
    this.#soon(more ? limits.tpm_session_pause_ms : limits.tpm_session_life_ms_max);
  }

  async #end(some: readonly Kept[]): Promise<void> {
    for (const { session } of some) await this.#maker.end(session);
  }
}

interface Kept {
  readonly session: FileHandle;
  readonly since_ms: number;
}
