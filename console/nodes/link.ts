import type { ConnectionEnds } from '../../protocol/channel.js';
import type { Command } from '../../protocol/commands.js';
import { backOff } from '../../protocol/back-off.js';
import type { ErrorCode } from '../../protocol/errors/index.js';
import { limits } from '../../protocol/limits.js';
import type { Reply } from '../../protocol/reply.js';
import type { Notice } from '../../protocol/notice.js';
import type { Answer } from '../../protocol/question.js';
import { ok, refuse, type Refusal, type Result } from '../../protocol/result.js';
import { Follower, type Heard } from './follower.js';
import { Pace } from './pace.js';
import { whyAway, type Known, type LinkOutline } from './known.js';
import { Questioner } from './questions.js';
import type { LinkOptions } from './link-options.js';
import { NodeSession, type Asked } from './session.js';
import { nextChange, stateAt, type Facts, type NodeState } from './state.js';

export type { LinkOptions } from './link-options.js';
export type { Known, LinkOutline, Told } from './known.js';

/**
 * Keeps a conversation with one node going: dials, asks in its rhythm how the node is, and dials again with jittered back-off. The first question of
 * a connection is a command, signed and sealed; the later ones go over the stream of events, where they cost no private key.
 *
 * INVARIANTS:
 * - At most one channel, one dial and one question at a time.
 * - After `stop`, nothing is dialled, asked or reported any more.
 */
export class NodeLink {
  readonly #options: LinkOptions;
  #facts: Facts & { heard?: number } = { dialling: false, connected: false };
  #session: NodeSession | undefined;
  #ends: ConnectionEnds | undefined;
  #known: Omit<Known, 'state' | 'questions' | 'lastSeen'> = {};
  #lastSeen: number | undefined;
  /** When the last question was asked. */
  #askedAt = -Infinity;
  /** When the state is looked at again. */
  #judgedAgainAt = Infinity;
  #state: NodeState = 'unknown';
  #failures = 0;
  #following = false;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;
  #stateTimer: NodeJS.Timeout | undefined;
  /** A session that was good and is refused now: the node may still say why, signed. */
  #parting: { readonly session: NodeSession; readonly timer: NodeJS.Timeout } | undefined;
  /** Something happened since the last question was asked, and the next one is not left to the rhythm. */
  #stale = false;
  #hurried = false;
  /** What was told of last, and when. */
  #told: { readonly status: string; readonly at: number } | undefined;

  /** Kept over connections: who dials anew is not forgiven. */
  readonly #pace: Pace;
  readonly #follower: Follower;
  readonly #questioner: Questioner;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#pace = new Pace(options.node, () => options.clocks.steady(), options.log);
    this.#follower = new Follower((heard, before) => this.#heard(heard, before));
    const { node, to, patience } = options;
    this.#questioner = new Questioner({ node, lease: to.lease, within_ms: patience.answer_ms });
  }

  get known(): Known {
    const now = this.#options.clocks.steady();
    const state = stateAt(this.#facts, this.#options.patience, now);
    const seen = this.#lastSeen === undefined ? {} : { lastSeen: this.#lastSeen };
    return { ...this.#known, ...seen, state, questions: this.#questioner.counts };
  }

  get state(): NodeState {
    return stateAt(this.#facts, this.#options.patience, this.#options.clocks.steady());
  }

  get outline(): LinkOutline {
    const { refusal } = this.#known;
    return { state: this.state, lastSeen: this.#lastSeen, questions: this.#questioner.counts, refusal };
  }

  /** The first dials of many links that start together are spread over this, as the later ones are by chance. */
  start(spread_ms: number = limits.dial_spread_ms_max): void {
    this.#later(() => this.#dial(), this.#options.chance() * spread_ms);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#stateTimer);
    this.#session?.close('the console stops');
    clearTimeout(this.#parting?.timer);
    this.#parting?.session.close('the console stops');
  }

  /** How this console reaches the node at the moment, if nothing stands between. */
  get ends(): ConnectionEnds | undefined {
    return this.#session?.open === true ? this.#ends : undefined;
  }

  /** A command for this node, over the present connection. Any sealed answer to it is a sign of life. */
  async request(command: Command, more: Omit<Asked, 'command' | 'to'> = {}): Promise<Result<Reply>> {
    const session = this.#session;
    if (!session?.open) {
      return refuse('unreachable', whyAway(this.#known.refusal));
    }
    const answered = await session.request({ ...more, command, to: this.#options.to });
    this.#note(answered);
    return answered;
  }

  async #dial(): Promise<void> {
    await this.#options.dialTurn?.();
    if (this.#stopped) return;
    this.#set({ dialling: true });
    const channel = await this.#options.connect();
    this.#set({ dialling: false });
    if (!channel.ok) return this.#failed(channel.refusal);
    if (this.#stopped) return channel.value.close('the console stops');
    const { pair, node, clocks, identity, keyBits } = this.#options;
    const noticed = identity && { identity, take: (notice: Result<Notice>) => this.#noticed(notice) };
    const more = { noticed, pace: this.#pace, keyBits };
    const session = (this.#session = new NodeSession(channel.value, pair, node, clocks, more));
    this.#ends = channel.value.ends;
    this.#questioner.renew();
    this.#set({ connected: true, asked: undefined, unproven: true });
    this.#following = false;
    const leave = await this.#options.seats?.take();
    await this.#converse(session);
    leave?.();
  }

  /** The stream of events first, over which questions cost no private key; a node that gives none is asked by commands. */
  async #converse(session: NodeSession): Promise<void> {
    if (this.#stopped) return;
    const opened = await new Promise<Result<true>>((resolve) => {
      void this.#follow(session, () => resolve(ok(true))).then(resolve);
    });
    if (this.#stopped) return;
    if (opened.ok) {
      this.#failures = 0;
      this.#askedAt = -Infinity;
      return this.#turn(session);
    }
    const { code } = opened.refusal;
    if (code === 'unreachable' || code === 'node-silent') return this.#lose(session, opened.refusal);
    return this.#ask(session);
  }

  /** A sealed frame is a sign of life, and what happened is a reason to ask at once how the node is now. */
  #heard({ events, gap, answer, isBeat }: Heard, before: number | undefined): void {
    if (this.#stopped) return;
    const { clocks } = this.#options;
    this.#lastSeen = clocks.wall();
    // A sign of life of a node that is good puts off when it would be silent, and changes nothing else.
    if (isBeat && this.#state === 'good' && !this.#stale) {
      this.#facts.heard = clocks.steady();
      return;
    }
    if (gap) this.#known = { ...this.#known, gap };
    if (events.length > 0) {
      const kept = [...(this.#known.events ?? []), ...events].slice(-limits.node_events_kept_max);
      this.#known = { ...this.#known, events: kept };
      this.#stale = true;
    }
    this.#set(
      answer ? { heard: clocks.steady(), ...this.#answered(answer, before) } : { heard: clocks.steady() },
    );
    const session = this.#session;
    // What happens without a pause puts the question off no further.
    if (!this.#stale || this.#hurried || !session?.open || this.#questioner.since !== undefined) return;
    this.#later(() => this.#turn(session), limits.gather_changes_ms);
    this.#hurried = true;
  }

  /** What an answer to a question shows. */
  #answered(answer: Answer, before: number | undefined): Partial<Facts> {
    const { clocks, log, node } = this.#options;
    const judged = this.#questioner.judge(answer, before, clocks.steady());
    const asked = this.#questioner.since;
    if (!judged.ok) {
      log.warn('wrong-answer', { node, detail: judged.refusal.detail });
      this.#known = { ...this.#known, refusal: judged.refusal };
      return { wrong: true, asked };
    }
    const { refusal: _, ...rest } = this.#known;
    this.#known = { ...rest, status: answer.status };
    const status = JSON.stringify(answer.status);
    const now = clocks.steady();
    if (status !== this.#told?.status || now - this.#told.at >= limits.node_told_again_ms) {
      this.#told = { status, at: now };
      this.#options.onChange();
    }
    return { wrong: false, unproven: false, asked, took_ms: judged.value };
  }

  /** A notice is evidence: what does not hold is counted and shown, and changes nothing else. */
  #noticed(notice: Result<Notice>): void {
    if (this.#stopped) return;
    const { log, node } = this.#options;
    if (!notice.ok) {
      const { code, detail } = notice.refusal;
      log.warn('notice-refused', { node, code, detail });
      this.#known = { ...this.#known, noticesRefused: (this.#known.noticesRefused ?? 0) + 1 };
    } else {
      const { happened, head, time, keyStore, left } = notice.value;
      for (const { kind, fields } of happened)
        log.info('notice', { node, kind, fields: JSON.stringify(fields) });
      const told = happened.map((one) => ({ ...one, signed: time, keyStore }));
      const notices = [...(this.#known.notices ?? []), ...told].slice(-limits.notices_kept_max);
      const missing = (this.#known.noticesMissing ?? 0) + left;
      this.#known = {
        ...this.#known,
        notices,
        ...(head ? { checkpoint: { ...head, time } } : {}),
        ...(missing > 0 ? { noticesMissing: missing } : {}),
      };
    }
    this.#options.onChange();
  }

  /** The events of a session are followed until it or the stream ends, and followed once. */
  async #follow(session: NodeSession, opened: () => void = () => {}): Promise<Result<true>> {
    if (this.#following || this.#stopped) return ok(true);
    this.#following = true;
    const { checkpoint } = this.#known;
    // A node that no longer has the history that it signed was put back, and says so itself.
    const head = checkpoint && { seq: checkpoint.seq, digest: checkpoint.digest };
    const ended = await this.#follower.follow(session, this.#options.to, { opened, head });
    const { log, node } = this.#options;
    if (!ended.ok) log.debug('stream-ended', { node, code: ended.refusal.code });
    if (this.#stopped) return ended;
    if (this.#follower.rubbish) {
      this.#known = { ...this.#known, refusal: this.#questioner.rubbish() };
      this.#set({ wrong: true });
    }
    // A stream that broke while its session lives has failed in the node or on the way: a new session starts clean.
    if (this.#session === session && session.open && !ended.ok && streamBroke.has(ended.refusal.code))
      session.close(ended.refusal.code);
    return ended;
  }

  /** One turn of the rhythm: a question over the stream if there is one, else a command. */
  async #turn(session: NodeSession): Promise<void> {
    if (this.#stopped) return;
    const { clocks, ask_ms } = this.#options;
    const ask = session.open ? this.#follower.ask : undefined;
    this.#hurried = false;
    if (!ask && session.open && this.#follower.opening)
      return this.#later(() => this.#turn(session), Math.min(ask_ms, limits.reply_ms_max));
    if (!ask) return this.#ask(session);
    const now = clocks.steady();
    const { since = now } = this.#questioner;
    if (now - since >= limits.reply_ms_max)
      return this.#lose(session, { code: 'node-silent', detail: 'it answered no question in time' });
    if (
      this.#questioner.since === undefined &&
      (this.#stale || now - this.#askedAt >= ask_ms - clockGrain_ms)
    ) {
      this.#stale = false;
      this.#askedAt = now;
      ask(this.#questioner.ask(now));
      this.#set({ asked: now });
    }
    this.#later(() => this.#turn(session), Math.min(ask_ms, limits.reply_ms_max));
  }

  /** Signed and sealed: the first question of a session. One that gave no answer is dropped: dialling again is what can help. */
  async #ask(session: NodeSession): Promise<void> {
    if (this.#stopped) return;
    const { checkpoint } = this.#known;
    // A node that no longer has the history that it signed was put back, and says so itself.
    const seen = checkpoint && { head: { seq: checkpoint.seq, digest: checkpoint.digest } };
    const { clocks } = this.#options;
    const asked = clocks.steady();
    this.#askedAt = asked;
    this.#set({ asked });
    const answered = await this.request({ type: 'status' }, seen);
    if (this.#stopped) return;
    if (!answered.ok) return this.#lose(session, answered.refusal);
    this.#failures = 0;
    this.#known = { ...this.#known, status: answered.value.result ?? {} };
    this.#set({ asked: undefined, unproven: false, took_ms: clocks.steady() - asked });
    this.#options.onChange();
    void this.#follow(session);
    this.#later(() => this.#turn(session), this.#options.ask_ms);
  }

  #lose(session: NodeSession, refusal: Refusal): void {
    this.#part(session, refusal.code);
    this.#session = undefined;
    this.#set({ connected: false });
    this.#failed(refusal);
  }

  #part(session: NodeSession, code: ErrorCode): void {
    const gone = code === 'unreachable' || code === 'node-silent';
    if (gone || this.#parting || !this.#following) return session.close(code);
    const timer = setTimeout(() => {
      this.#parting = undefined;
      session.close(code);
    }, limits.notices_parting_ms);
    this.#parting = { session, timer };
  }

  #note(answered: Result<Reply>): void {
    const { clocks } = this.#options;
    if (answered.ok) {
      const { refusal: _, ...rest } = this.#known;
      this.#known = rest;
      this.#lastSeen = clocks.wall();
      this.#set({ heard: clocks.steady() });
    }
  }

  #failed(refusal: Refusal): void {
    const { clocks, chance, log, node } = this.#options;
    this.#known = { ...this.#known, refusal };
    this.#set(isAway.has(refusal.code) ? {} : { refused: { at: clocks.steady(), code: refusal.code } });
    this.#options.onChange();
    const wait = backOff(this.#failures, chance(), {
      first_ms: limits.dial_first_ms,
      most_ms: this.#options.again_ms_max ?? limits.dial_again_ms_max,
    });
    this.#failures += 1;
    log.debug('node-away', { node, code: refusal.code, detail: refusal.detail, again_ms: wait });
    this.#later(() => this.#dial(), wait);
  }

  #later(next: () => Promise<void>, wait_ms: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#hurried = false;
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
    this.#judgeAgain(nextChange(this.#facts, patience, now), now);
    if (state === this.#state) return;
    this.#state = state;
    this.#options.onChange();
  }

  /**
   * A timer that is set too early finds nothing changed and is set again; one that is set too late would miss a change. So a sign of life, which only puts
   * changes off, sets none anew: ten thousand nodes would set thousands in a second.
   */
  #judgeAgain(next: number | undefined, now: number): void {
    if (next === undefined || next >= this.#judgedAgainAt) return;
    clearTimeout(this.#stateTimer);
    this.#judgedAgainAt = next;
    this.#stateTimer = setTimeout(
      () => {
        this.#judgedAgainAt = Infinity;
        this.#judge();
      },
      inSteps(next - now),
    );
  }
}

const step_ms = 100;

/** Timers of one length share a list; thousands of lengths would be thousands of lists. A change that takes seconds may be seen a step later. */
function inSteps(wait_ms: number): number {
  return wait_ms < 10 * step_ms ? wait_ms : Math.ceil(wait_ms / step_ms) * step_ms;
}

/** A timer may come this much before its time. */
const clockGrain_ms = 2;

const streamBroke: ReadonlySet<string> = new Set([
  'stream-gap',
  'stream-repeated',
  'stream-tampered',
  'malformed',
]);
/** What says no more than that nobody answered: a gateway that does not have the node knows nothing of it either. */
const isAway: ReadonlySet<string> = new Set(['unreachable', 'node-silent', 'gateway-node-away']);
