import { digestOf } from '../../crypto/bytes.js';
import type { Pair } from '../../crypto/rsa.js';
import type { Signer } from '../../crypto/signer.js';
import { newId } from '../../protocol/request.js';
import { messageOf, type Log } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { BootKey } from '../keys/boot.js';
import { openShared } from '../keys/shares.js';
import { lockedLeases } from '../keys/wrap.js';
import type { Change } from './change.js';
import { changeRing, withSparePair, type KeyRing } from '../keys/ring.js';
import { admit, changesSomething, decide } from './decide.js';
import type { Decision, Effect, Given, Request } from './decision.js';
import { decideMeasured } from './decide/measurement.js';
import { decideConfirmedTime, decideTime } from './decide/time.js';
import { effectName, withDirectories, type EffectRunner } from './effects.js';
import type { EventLog } from './events.js';
import { historyWarnings } from './history-room.js';
import { holdersChanged } from './holders.js';
import { markLast, recordCommand, recordOwnAct, type Recorded } from './history.js';
import { brokenInvariants } from './invariants.js';
import type { Journal } from './journal.js';
import { withoutStaleApproval } from './measurement.js';
import { keepReceipts, signReceipts, type KeptReceipt, type Receipted } from './receipts.js';
import { sealedIn } from './sealed-in.js';
import type { NodeState } from './state.js';
import type { NodeTime } from './time.js';

/** What was answered to a command that may change the node. */
export interface Acted {
  readonly result: Readonly<Record<string, unknown>>;
  /** The command had acted before: this is its first answer. */
  readonly again: boolean;
}

export interface CoreParts {
  readonly journal: Journal;
  readonly events: EventLog;
  readonly effects: EffectRunner;
  /** Where the secrets rest: receipts say it. */
  readonly keyStore: 'tpm' | 'file';
  readonly boot: BootKey;
  readonly log: Log;
  readonly ownPorts: ReadonlySet<string>;
  /** Addresses of the node that engines may have as their own. */
  readonly engineAddresses: ReadonlySet<string>;
}

/**
 * The one writer of the node's state.
 *
 * INVARIANTS:
 * - One change at a time, in the order in which they were asked for: `decide`, invariants, journal, effects.
 * - Nobody hears of a change before it is durable.
 * - After a fault in the journal nothing more is decided: only a new start can tell what is on the disk.
 */
export class Core {
  readonly #parts: CoreParts;
  readonly #time: NodeTime;
  #queue: Promise<unknown> = Promise.resolve();
  #fault: string | undefined;
  /** Told once, when the core has stopped deciding: whoever runs the node starts it anew. */
  onFault: (why: string) => void = () => {};
  /** Effects that could not be carried out, by what they are: shown in `status` and tried again. */
  readonly #undone = new Map<string, { effect: Effect; why: string }>();

  constructor(parts: CoreParts, time: NodeTime) {
    this.#parts = parts;
    this.#time = time;
  }

  get state(): NodeState {
    return this.#parts.journal.state;
  }

  get ring(): KeyRing {
    return this.#parts.journal.ring;
  }

  /** N. */
  get identity(): Signer {
    return this.#parts.journal.identity;
  }

  /** What the machine measured when it started; undefined: nothing is measured. */
  get measured(): string | undefined {
    return this.#parts.journal.measured?.digest;
  }

  get boot(): BootKey {
    return this.#parts.boot;
  }

  get undone(): readonly string[] {
    return [...this.#undone].map(([what, { why }]) => `${what}: ${why}`);
  }

  get fault(): string | undefined {
    return this.#fault;
  }

  /** The node's time in seconds: what leases and jobs go by. */
  now_s(): number {
    return this.#time.now_s();
  }

  /** After a start: what was due while the node was away, and then the machine is made to match the state. */
  async start(): Promise<void> {
    await this.passTime();
    await this.actByItself('measurement', decideMeasured);
    await this.#runEffects([
      { kind: 'settle-measurement' },
      { kind: 'enforce-filters' },
      { kind: 'settle-directories' },
      { kind: 'run-engines' },
      ...this.state.levels.flatMap(({ lease, goingFolders = [] }) =>
        goingFolders.map((folder): Effect => ({ kind: 'remove-folder', lease, folder })),
      ),
      ...this.state.jobs
        .filter((job) => job.state === 'running')
        .map((job): Effect => ({ kind: 'run-job', job: job.id })),
    ]);
  }

  /**
   * Carries out a command whose speaker is proved. Reading commands are only admitted here, as by `decide`: there is one authority. What the
   * command is conditional on is asked in its turn, when nothing else can change any more, and not at all when it acted before.
   */
  act(
    request: Request,
    stillHolds: () => Promise<Result<void>> = () => Promise.resolve(ok(undefined)),
  ): Promise<Result<Acted>> {
    if (!changesSomething(request.command)) {
      const may = admit(this.state, request);
      if (!may.ok) return Promise.resolve(may);
      return stillHolds().then((holds) => (holds.ok ? ok({ result: {}, again: false }) : holds));
    }
    return this.#inTurn(() => this.#change(request, stillHolds));
  }

  /** Has this very command acted, so that asking again only brings its answer once more? */
  async actedBefore(request: Request): Promise<boolean> {
    const before = await this.#parts.journal.reply(request.lease, request.console, request.jti);
    if (before === undefined || before === 'locked') return false;
    return before.commandDigest === digestOf(JSON.stringify(request.command));
  }

  /** What time does by itself: leases that end, changes that nobody confirmed. */
  async passTime(): Promise<void> {
    await this.#inTurn(() => this.#passTime());
  }

  /** How far the wall clock stands ahead of the node's time without anybody's word for it. */
  clockAhead_s(): number {
    return this.#time.ahead_s();
  }

  /** A console of the landlord's, provably now, says what time it is: with it the wall clock is believed that far. */
  async confirmTime(said_s: number): Promise<void> {
    if (this.#time.confirmedBy(said_s) === undefined) return;
    await this.#inTurn(async () => {
      const time_s = this.#time.confirmedBy(said_s);
      if (time_s === undefined) return ok(undefined);
      const done = await this.#actByItself('clock.stepped', (state, given) =>
        decideConfirmedTime(state, given, time_s),
      );
      if (!done.ok) return done;
      this.#time.goOnFrom(time_s);
      this.#parts.log.warn('clock.stepped', { to: time_s });
      return ok(undefined);
    });
  }

  /** Something the node does by itself, such as a step of a job. False: there was nothing to do. */
  actByItself(
    name: string,
    decideNow: (state: NodeState, given: Given) => Decision | undefined,
  ): Promise<boolean> {
    return this.#inTurn(() => this.#actByItself(name, decideNow)).then((done) => done.ok && done.value);
  }

  addSparePair(pair: Pair): Promise<Result<void>> {
    return this.#inTurn(async () => {
      const { journal } = this.#parts;
      const state = { ...journal.state, generation: journal.state.generation + 1 };
      await journal.commit({ state, ring: withSparePair(journal.ring, pair), renewG: false, lines: [] });
      return ok(undefined);
    });
  }

  /** Writes the events that no command took along. */
  flushEvents(): Promise<Result<void>> {
    return this.#inTurn(async () => {
      const { events, journal } = this.#parts;
      if (!events.waiting) return ok(undefined);
      await journal.write(events.stage([], this.state, this.now_s()));
      events.written();
      return ok(undefined);
    });
  }

  /** Tries again what could not be done to the machine. */
  async retryEffects(): Promise<void> {
    await this.#runEffects([...this.#undone.values()].map(({ effect }) => effect));
  }

  /** What the filters stand on has changed, such as an address: enforced anew, and tried again if that fails. */
  async enforceAgain(): Promise<void> {
    await this.#inTurn(async () => {
      await this.#runEffects([{ kind: 'enforce-filters' }]);
      return ok(undefined);
    });
  }

  async close(): Promise<void> {
    await this.#queue;
    await this.#parts.journal.close();
  }

  async #passTime(): Promise<Result<void>> {
    for (;;) {
      const passed = await this.#actByItself('time', decideTime);
      if (!passed.ok) return passed;
      if (!passed.value) return ok(undefined);
    }
  }

  async #actByItself(
    name: string,
    decideNow: (state: NodeState, given: Given) => Decision | undefined,
  ): Promise<Result<boolean>> {
    const decided = decideNow(this.state, this.#given());
    if (!decided) return ok(false);
    const ready = await this.#parts.effects.before(this.state, decided.state);
    if (!ready.ok) return ready;
    const { decision, kept } = await this.#receipted(decided);
    const recorded = decision.touched.length > 0 || decision.keys.length > 0;
    const at = { node: this.identity.public.id, time_s: this.now_s() };
    const record: Recorded = recorded
      ? recordOwnAct(decision, name, at)
      : { lines: [], state: decision.state };
    const committed = await this.#commit(decision, record, kept);
    return committed.ok ? ok(true) : committed;
  }

  /** A command acts on what the node is at that moment: what was due before it comes first. */
  async #change(request: Request, stillHolds: () => Promise<Result<void>>): Promise<Result<Acted>> {
    const { journal } = this.#parts;
    const passed = await this.#passTime();
    if (!passed.ok) return passed;
    const { lease } = request;
    const commandDigest = digestOf(JSON.stringify(request.command));
    const before = await journal.reply(lease, request.console, request.jti);
    if (before === 'locked') return refuse('shares-outstanding');
    if (before)
      return before.commandDigest === commandDigest
        ? ok({ result: before.result, again: true })
        : refuse('id-reused', request.command.type);
    const holds = await stillHolds();
    if (!holds.ok) return holds;
    const given = { ...this.#given(), ...(await sealedIn(this.#parts.boot, this.state, request)) };
    const decided = decide(this.state, request, given);
    if (!decided.ok) {
      given.secret?.wipe();
      return decided;
    }
    const ready = await this.#parts.effects.before(this.state, decided.value.state);
    if (!ready.ok) return ready;
    const { decision, kept: receipts, result } = await this.#receipted(decided.value, request);
    const at = { node: this.identity.public.id, time_s: this.now_s() };
    const recorded = recordCommand(decision, request, at);
    const generation = this.state.generation + 1;
    const reply = { lease, console: request.console, jti: request.jti, commandDigest, generation };
    // A level that ended its own lease has no place left to keep the reply.
    const kept = recorded.state.levels.some((level) => level.lease === lease);
    const committed = await this.#commit(
      decision,
      markLast(recorded, request),
      receipts,
      kept ? { ...reply, result } : undefined,
    );
    given.secret?.wipe();
    if (!committed.ok) return committed;
    const effects = decision.effects.map((effect) => effect.kind).join(' ');
    this.#parts.log.info('command.durable', { id: request.jti, generation, effects });
    return ok({ result, again: false });
  }

  /**
   * Signs the receipts of a decision. The asker gets them whole in the reply; the history holds their digests, so that it says which
   * receipts there must be.
   */
  async #receipted(wanted: Decision, request?: Request): Promise<Receipted> {
    const decision = withoutStaleApproval(this.state, wanted);
    if (decision.receipts.length === 0) return { decision, kept: [], result: decision.result };
    const signed = await signReceipts(decision.receipts, {
      identity: this.identity,
      keyStore: this.#parts.keyStore,
      generation: this.state.generation + 1,
      time_s: this.now_s(),
      name: decision.state.name,
      ...(request ? { request } : {}),
    });
    const { state, kept } = keepReceipts(decision.state, decision.receipts, signed);
    const result = { ...decision.result, receipts: signed.map((jws) => digestOf(jws)) };
    return {
      decision: { ...decision, state, result },
      kept,
      result: { ...decision.result, receipts: signed },
    };
  }

  async #commit(
    decision: Decision,
    recorded: Recorded,
    receipts: readonly KeptReceipt[],
    reply?: Parameters<Journal['commit']>[0]['reply'],
  ): Promise<Result<void>> {
    const { journal, events } = this.#parts;
    const state = {
      ...recorded.state,
      generation: this.state.generation + 1,
      timeFloor_s: Math.max(recorded.state.timeFloor_s, this.now_s()),
    };
    const renewG = decision.keys.length > 0 || holdersChanged(this.state, state);
    const ring = renewG ? changeRing(this.ring, decision.keys, state.levels) : this.ring;
    const broken = brokenInvariants(state, ring);
    if (broken.length > 0) return refuse('invariant-broken', broken.join('; '));
    const full = historyWarnings(this.state, state, this.#parts.log);
    const more = events.stage([...decision.events, ...full], state, this.now_s());
    const { reencrypt, secrets } = decision;
    const { lines } = recorded;
    const rest: Partial<Change> = reply ? { reply } : {};
    const change: Change = { state, ring, renewG, lines, receipts, more, reencrypt, secrets, ...rest };
    await journal.commit(change, () => {
      for (const effect of decision.effects) this.#parts.effects.workOut(effect, state);
    });
    events.written();
    // What is cleared away was closed by the new G already: what stops packets does not wait for it.
    await Promise.all([
      journal.tidy(),
      this.#runEffects(renewG ? withDirectories(decision.effects) : decision.effects),
    ]);
    return ok(undefined);
  }

  async #runEffects(effects: readonly Effect[]): Promise<void> {
    for (const effect of effects) {
      const name = effectName(effect);
      const done = await this.#parts.effects.run(effect, this.state);
      if (done.ok) {
        this.#undone.delete(name);
        continue;
      }
      const why = `${done.refusal.code} ${done.refusal.detail ?? ''}`.trim();
      this.#undone.set(name, { effect, why });
      this.#parts.log.error('effect.failed', { effect: name, why });
    }
  }

  #given(): Given {
    const { ring, measured } = this;
    const spare = ring.pool[0];
    const pair = spare === undefined ? undefined : ring.pairs.get(spare);
    return {
      now_s: this.now_s(),
      newId,
      ...(measured === undefined ? {} : { measured }),
      locked: lockedLeases(ring, this.state.levels),
      ownPorts: this.#parts.ownPorts,
      engineAddresses: this.#parts.engineAddresses,
      shareOpens: (id, share) =>
        share !== undefined && openShared(share, id, ring.locked.get(id)) !== undefined,
      ...(pair ? { sparePair: { id: pair.public.id, jwk: pair.public.jwk } } : {}),
    };
  }

  #inTurn<T>(work: () => Promise<Result<T>>): Promise<Result<T>> {
    const turn = this.#queue.then(async (): Promise<Result<T>> => {
      if (this.#fault !== undefined) return refuse('internal', this.#fault);
      try {
        return await work();
      } catch (error) {
        this.#fault = `stopped deciding after a fault: ${messageOf(error)}`;
        this.#parts.log.error('core.fault', { why: messageOf(error) });
        this.onFault(this.#fault);
        return refuse('internal', this.#fault);
      }
    });
    this.#queue = turn;
    return turn;
  }
}
