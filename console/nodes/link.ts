import type { Pair } from '../../crypto/rsa.js';
import type { MessageChannel } from '../../protocol/channel.js';
import type { Command } from '../../protocol/commands.js';
import { backOff } from '../../protocol/back-off.js';
import { limits } from '../../protocol/limits.js';
import type { Log } from '../../protocol/log.js';
import type { Reply } from '../../protocol/reply.js';
import type { Addressee } from '../../protocol/request.js';
import { ok, refuse, type Refusal, type Result } from '../../protocol/result.js';
import { NodeSession, type Asked, type Clocks } from './session.js';
import { nextChange, stateAt, type Facts, type NodeState, type Patience } from './state.js';

export interface LinkOptions {
  /** Thumbprint of the node's identity key. */
  readonly node: string;
  readonly to: Addressee;
  readonly pair: Pair;
  readonly clocks: Clocks;
  readonly chance: () => number;
  readonly patience: Patience;
  /** How often the status is asked for while nothing else is heard. */
  readonly ask_ms: number;
  readonly log: Log;
  /** One of the ways to the node: straight, or through a gateway. */
  connect(): Promise<Result<MessageChannel>>;
  /** Told whenever what is known has changed. */
  onChange(): void;
}

export interface Known {
  readonly state: NodeState;
  /** Wall clock, of the last sealed answer. */
  readonly lastSeen?: number;
  readonly refusal?: Refusal;
  readonly status?: Readonly<Record<string, unknown>>;
}

/**
 * Keeps a conversation with one node going: dials, asks for the status in its rhythm, and dials again with jittered back-off.
 *
 * INVARIANTS:
 * - At most one channel and one dial at a time.
 * - After `stop`, nothing is dialled, asked or reported any more.
 */
export class NodeLink {
  readonly #options: LinkOptions;
  #facts: Facts = { dialling: false, connected: false };
  #session: NodeSession | undefined;
  #known: Omit<Known, 'state'> = {};
  #state: NodeState = 'unknown';
  #failures = 0;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;
  #stateTimer: NodeJS.Timeout | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  get known(): Known {
    const now = this.#options.clocks.steady();
    return { ...this.#known, state: stateAt(this.#facts, this.#options.patience, now) };
  }

  start(): void {
    // The first dials of many links are spread, as the later ones are.
    this.#later(() => this.#dial(), this.#options.chance() * limits.dial_spread_ms_max);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#stateTimer);
    this.#session?.close('the console stops');
  }

  /** A command for this node, over the present connection. Any sealed answer to it is a sign of life. */
  async request(command: Command, more: Omit<Asked, 'command' | 'to'> = {}): Promise<Result<Reply>> {
    const session = this.#session;
    if (!session?.open) {
      const { refusal } = this.#known;
      return refuse('unreachable', refusal?.detail ?? 'there is no connection at the moment');
    }
    const answered = await session.request({ ...more, command, to: this.#options.to });
    this.#note(answered);
    return answered;
  }

  async #dial(): Promise<void> {
    if (this.#stopped) return;
    this.#set({ dialling: true });
    const channel = await this.#options.connect();
    this.#set({ dialling: false });
    if (!channel.ok) return this.#failed(channel.refusal);
    if (this.#stopped) return channel.value.close('the console stops');
    const { pair, node, clocks } = this.#options;
    const session = new NodeSession(channel.value, pair, node, clocks);
    this.#session = session;
    this.#set({ connected: true });
    await this.#ask(session);
  }

  /** One turn of the rhythm. A session that gave no answer is dropped: dialling again is what can help. */
  async #ask(session: NodeSession): Promise<void> {
    if (this.#stopped) return;
    const answered = await this.request({ type: 'status' });
    if (this.#stopped) return;
    if (answered.ok) {
      this.#failures = 0;
      this.#known = { ...this.#known, status: answered.value.result ?? {} };
      this.#options.onChange();
      this.#later(() => this.#ask(session), this.#options.ask_ms);
      return;
    }
    session.close(answered.refusal.code);
    this.#session = undefined;
    this.#set({ connected: false });
    this.#failed(answered.refusal);
  }

  #note(answered: Result<Reply>): void {
    const { clocks } = this.#options;
    if (answered.ok) {
      const { refusal: _, ...rest } = this.#known;
      this.#known = { ...rest, lastSeen: clocks.wall() };
      this.#set({ heard: clocks.steady() });
    }
  }

  #failed(refusal: Refusal): void {
    const { clocks, chance, log, node } = this.#options;
    this.#known = { ...this.#known, refusal };
    const away = refusal.code === 'unreachable' || refusal.code === 'node-silent';
    this.#set(away ? {} : { refused: { at: clocks.steady(), code: refusal.code } });
    this.#options.onChange();
    const wait = backOff(this.#failures, chance(), {
      first_ms: limits.dial_first_ms,
      most_ms: limits.dial_again_ms_max,
    });
    this.#failures += 1;
    log.debug('node-away', { node, code: refusal.code, detail: refusal.detail, again_ms: wait });
    this.#later(() => this.#dial(), wait);
  }

  #later(next: () => Promise<void>, wait_ms: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void next(), wait_ms);
  }

  #set(more: Partial<Facts>): void {
    this.#facts = { ...this.#facts, ...more };
    this.#judge();
  }

  /** Reports a new state, also when it came by the passing of time alone. */
  #judge(): void {
    if (this.#stopped) return;
    const { clocks, patience } = this.#options;
    const now = clocks.steady();
    const state = stateAt(this.#facts, patience, now);
    const next = nextChange(this.#facts, patience, now);
    clearTimeout(this.#stateTimer);
    if (next !== undefined) this.#stateTimer = setTimeout(() => this.#judge(), next - now);
    if (state === this.#state) return;
    this.#state = state;
    this.#options.onChange();
  }
}

/** Tries the ways in their order and keeps the first that opens. */
export async function firstOf(
  ways: readonly (() => Promise<Result<MessageChannel>>)[],
): Promise<Result<MessageChannel>> {
  let last: Result<MessageChannel> = refuse('unreachable', 'no address is known');
  for (const way of ways) {
    last = await way();
    if (last.ok) return ok(last.value);
  }
  return last;
}
