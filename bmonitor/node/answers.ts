import { digestOf, sha256 } from '../../crypto/bytes.js';
import { signBy, utf8 } from '../../crypto/jose.js';
import { blindnessTyp } from '../../protocol/blindness.js';
import type { Command } from '../../protocol/commands.js';
import { limits } from '../../protocol/limits.js';
import type { Claims, HistoryHead } from '../../protocol/request.js';
import { ok, refuse, type Refusal, type Result } from '../../protocol/result.js';
import { tryBlindness } from '../keys/blindness.js';
import type { Core } from './core.js';
import { groundFacts, waysFacts } from './ground.js';
import { packetOf, passedAbove, proofOf } from './decide/fit.js';
import { isStreamed, type EngineReport, type ServeStream } from './engine-report.js';
import type { EventLog } from './events.js';
import type { FilterReport } from './filter-report.js';
import { filterCount, setOf } from './filter-state.js';
import { historyFacts, historyWarning } from './history-room.js';
import type { Journal } from './journal.js';
import { measurementFacts } from './measurement.js';
import { secretsShown } from './secret-blocks.js';
import { noEntry, rightsNow, type Level, type NodeState } from './state.js';

/** What the machine says of itself; what it does not know it does not say. */
export interface MachineFacts {
  /** How the secrets rest. */
  readonly keyStore: 'tpm' | 'file';
  /** How the files of levels are encrypted, or why none are taken. */
  readonly directories?: string | Refusal;
  readonly health?: HealthReport;
  /** What commands that switch the machine act on. */
  readonly power?: 'machine' | 'process';
  readonly version: string;
  /** The kernel's own word for its version. */
  readonly kernelRelease: string;
  readonly started_s: number;
  filters(): FilterFacts;
  /** The addresses under which the node is reached, as its filters know them; absent, they are not known. */
  addresses?(): readonly string[];
  readonly engines: EngineReport;
  /** Absent: filters are not enforced here. */
  readonly kernel?: Pick<FilterReport, 'counters' | 'probe'>;
}

/** How the machine is, as its probes found it. */
export interface HealthReport {
  summary(): Readonly<Record<string, unknown>>;
  read(): Readonly<Record<string, unknown>>;
}

export interface FilterFacts {
  readonly enforced: 'yes' | 'no' | 'unknown';
  /** Since when what the state says is enforced. */
  readonly since_s?: number;
  /** When what stands in the kernel was last compared with what should: rules, and the elements of maps too. */
  readonly readBack_s?: number;
  readonly elementsReadBack_s?: number;
  /** What another program had altered when something last differed; it was put back. */
  readonly differed?: { readonly at_s: number; readonly what: readonly string[] };
  readonly detail?: string;
}

/** Answers commands that read, from the state as it stands. Whether the asker may was decided before. */
export class Answers {
  readonly events: EventLog;
  readonly #core: Core;
  readonly #journal: Journal;
  readonly #machine: MachineFacts;
  readonly #ground: ReturnType<typeof groundFacts>;

  constructor(parts: { core: Core; journal: Journal; events: EventLog; machine: MachineFacts }) {
    this.#core = parts.core;
    this.#journal = parts.journal;
    this.#machine = parts.machine;
    this.#ground = groundFacts(parts.machine);
    this.events = parts.events;
  }

  /** The pair of this start, and with a TPM its word on what the machine measured, said for that pair. */
  async #boot(): Promise<Result<Readonly<Record<string, unknown>>>> {
    const { boot, identity } = this.#core;
    const statement = await boot.statement(identity);
    const quote = await this.#journal.quote?.(sha256(statement));
    if (quote?.ok === false) return quote;
    return ok({ boot: boot.boot, statement, ...(quote ? { quote: quote.value } : {}) });
  }

  /** Undefined: the command is answered by what the core decided. */
  async to(command: Command, level: number): Promise<Result<Readonly<Record<string, unknown>> | undefined>> {
    switch (command.type) {
      case 'status':
        return ok(this.#status(level));
      case 'levels.read':
        return ok({ levels: this.#levels(level) });
      case 'history.read':
        return this.#history(level, command.from, command.count);
      case 'keys.read':
        return ok(this.#keys(level));
      case 'keys.boot':
        return this.#boot();
      case 'keys.blindness':
        return this.#blindness(command.nonce);
      case 'measurement.read':
        return ok(measurementFacts(this.#core.state, this.#journal.measured));
      case 'receipts.read':
        return this.#receipts(level, command.from, command.count);
      case 'jobs.read':
        return ok({ jobs: this.#core.state.jobs.filter((job) => job.lease === this.#own(level).lease) });
      case 'health.read':
        return ok(this.#machine.health?.read() ?? {});
      case 'filters.read':
        return this.#filters(level, command.level ?? level);
      case 'filters.counters':
        return this.#machine.kernel?.counters(level) ?? refuse('not-enforced');
      case 'filters.probe':
        return this.#machine.kernel?.probe() ?? refuse('not-enforced');
      case 'engines.read':
        return this.#machine.engines.list(this.#core.state, this.#own(level));
      case 'engine.read':
        return this.#machine.engines.one(this.#own(level), command.name);
      case 'images.read':
        return this.#machine.engines.images(this.#own(level));
      case 'folders.read':
        return this.#machine.engines.folders(this.#own(level));
      case 'secrets.read':
        return secretsShown(this.#own(level), this.#core.ring);
      case 'engine.ask':
        return this.#machine.engines.ask(this.#own(level), command);
      case 'engines.usage':
        return this.#machine.engines.usage(this.#core.state, level);
      case 'events.follow':
      case 'image.send':
      case 'engine.logs':
      case 'engine.forward':
      case 'engine.exec':
      case 'engine.attach':
      case 'secret.set':
      case 'secret.remove':
      case 'engine.put':
      case 'engine.start':
      case 'engine.stop':
      case 'engine.kill':
      case 'engine.restart':
      case 'engine.reload':
      case 'engine.pause':
      case 'engine.resume':
      case 'engine.remove':
      case 'folder.remove':
      case 'node.rename':
      case 'keys.make':
      case 'keys.rotate':
      case 'keys.consent':
      case 'keys.share':
      case 'keys.unlock':
      case 'measurement.approve':
      case 'measurement.withdraw':
      case 'node.transfer':
      case 'node.label':
      case 'consoles.add':
      case 'consoles.remove':
      case 'lease.grant':
      case 'lease.take':
      case 'lease.extend':
      case 'lease.end':
      case 'filters.replace':
      case 'filters.change':
      case 'filters.confirm':
      case 'filters.undo':
      case 'quarantine':
      case 'ways.set':
      case 'ways.confirm':
      case 'hardware.reboot':
      case 'hardware.power-off':
      case 'hardware.suspend':
      case 'hardware.identify':
      case 'history.trim':
      case 'history.verify':
      case 'job.cancel':
        return ok(undefined);
    }
  }

  /** Who serves the stream that follows the answer. Undefined: none follows, or it is the events'. */
  streamOf(command: Command, level: number): ServeStream | undefined {
    return isStreamed(command) ? this.#machine.engines.serve(command, this.#own(level)) : undefined;
  }

  /** Does the history that the console saw, or wants to trim, lead to the one that stands here? */
  async sameHistory(claims: Claims): Promise<Result<void>> {
    const { command, level } = claims;
    const trimmed =
      command.type === 'history.trim' ? { seq: command.before - 1, digest: command.head } : undefined;
    for (const seen of [claims.head, trimmed]) {
      const same = seen ? await this.#leadsHere(level, seen) : ok(undefined);
      if (!same.ok) return same;
    }
    return ok(undefined);
  }

  async #leadsHere(level: number, seen: HistoryHead): Promise<Result<void>> {
    const { lease, history } = this.#own(level);
    if (seen.seq > history.head.seq)
      return refuse('history-fork', `you saw ${seen.seq} entries, here are ${history.head.seq}`, {
        data: { here: history.head, seen },
      });
    const digest = await this.#digestAt(lease, seen.seq, history.head, history.first);
    if (digest === undefined || digest === seen.digest) return ok(undefined);
    return refuse('history-fork', `entry ${seen.seq} differs`, {
      data: { here: { seq: seen.seq, digest }, seen },
    });
  }

  /** Undefined when the entry was trimmed, and there is nothing left to compare with. */
  async #digestAt(
    lease: string,
    seq: number,
    head: { readonly seq: number; readonly digest: string },
    first: number,
  ): Promise<string | undefined> {
    if (seq === head.seq) return head.digest;
    if (seq === 0) return noEntry;
    if (seq < first) return undefined;
    const [line] = await this.#journal.history(lease, seq, 1, head.seq);
    return line === undefined ? undefined : digestOf(line);
  }

  #own(level: number): Level {
    const own = this.#core.state.levels[level];
    if (!own) throw new Error(`level ${level} was there when it was authorised`);
    return own;
  }

  #status(level: number): Readonly<Record<string, unknown>> {
    const { state, ring } = this.#core;
    const own = this.#own(level);
    const { quarantine } = state;
    const ground = this.#ground;
    const full = historyWarning(own.history);
    return {
      name: state.name,
      node: this.#core.identity.public.id,
      version: this.#machine.version,
      started: this.#machine.started_s,
      keyStore: this.#machine.keyStore,
      ...ground,
      warnings: [...ground.warnings, ...(full === undefined ? [] : [full])],
      ...powerFacts(this.#machine, state),
      ...(this.#machine.health && own.rights.includes('hardware')
        ? { health: this.#machine.health.summary() }
        : {}),
      level,
      levels: state.levels.length,
      chain: state.levels.map((one) => ({ lease: one.lease, status: one.status })),
      lease: own.lease,
      status: own.status,
      rights: rightsNow(state, level),
      ...(own.term ? { until: own.term.until_s, destroyAfter: own.term.destroyAfter_s } : {}),
      filters: {
        version: own.filters.version,
        count: filterCount(own.filters),
        ...this.#machine.filters(),
        ...noLongerFitting(state, level),
        ...(own.waiting ? { pending: { version: own.filters.version, undoAt: own.waiting.undoAt_s } } : {}),
      },
      addresses: this.#machine.addresses?.() ?? [],
      locked: !ring.data.has(own.lease),
      ...(level === 0 && state.ways ? { ways: waysFacts(state.ways) } : {}),
      quarantine: quarantine
        ? { on: true, since: quarantine.since_s, reason: quarantine.reason }
        : { on: false },
      undone: this.#core.undone,
      ...(this.#core.clockAhead_s() > 0 ? { clockAhead: this.#core.clockAhead_s() } : {}),
      nextEvent: this.events.next(own.lease),
      history: historyFacts(own.history),
      events: this.events.kept(own.lease),
    };
  }

  /** A level sees itself and those above it by what concerns it, and of those below that they are there. */
  #levels(level: number): readonly Readonly<Record<string, unknown>>[] {
    const { levels, formerly } = this.#core.state;
    return levels.map((one, index) => ({
      level: index,
      lease: one.lease,
      status: one.status,
      rights: one.rights,
      ...(one.term ? { until: one.term.until_s, destroyAfter: one.term.destroyAfter_s } : {}),
      hasSymmetricKey: one.symmetric !== undefined,
      ...(index === level
        ? {
            pair: one.pair,
            everEnrolled: one.everEnrolled,
            consoles: one.roster.map(({ id, name, role, nodes }) => ({
              id,
              name,
              role,
              ...(nodes ? { nodes } : {}),
            })),
            ...(one.labels ? { labels: one.labels } : {}),
          }
        : { consoles: one.roster.length }),
      // Who leases from this level sees whom it was handed to.
      ...(index === 0 && formerly ? { holder: formerly.holder } : {}),
    }));
  }

  async #history(
    level: number,
    from: number,
    count: number,
  ): Promise<Result<Readonly<Record<string, unknown>>>> {
    const { lease, history } = this.#own(level);
    if (!this.#core.ring.data.has(lease)) return refuse('shares-outstanding');
    const start = Math.max(from, history.first);
    const lines = await this.#journal.history(lease, start, count, history.head.seq);
    const { identity } = this.#core;
    const checkpoint = await signBy(
      identity,
      { typ: 'bm-checkpoint+jws', kid: identity.public.id },
      utf8(JSON.stringify({ v: 1, level, lease, ...history.head, time: this.#core.now_s() })),
    );
    return ok({ first: history.first, from: start, lines, head: history.head, checkpoint });
  }

  /** Ids only. The K of the levels above go into the own disk key, so their names may be known. */
  #keys(level: number): Readonly<Record<string, unknown>> {
    const { state, ring } = this.#core;
    const own = this.#own(level);
    return {
      pair: own.pair,
      consents: own.consents ?? [],
      locked: !ring.data.has(own.lease),
      keys: state.levels.slice(0, level + 1).map((one, at) => ({
        level: at,
        lease: one.lease,
        ...(one.symmetric === undefined
          ? {}
          : {
              symmetric: one.symmetric,
              shared: one.shared === true,
              open: ring.symmetric.has(one.symmetric),
            }),
      })),
    };
  }

  async #blindness(nonce: string): Promise<Result<Readonly<Record<string, unknown>>>> {
    const { ring, state } = this.#core;
    const found = tryBlindness(ring, state.levels);
    if (found.result === 'locked') return refuse('shares-outstanding');
    const { identity } = this.#core;
    const lease = state.levels.at(-1)?.lease ?? '';
    const statement = { v: 1, kind: 'blindness', node: identity.public.id, keyStore: this.#machine.keyStore };
    const proof = await signBy(
      identity,
      { typ: blindnessTyp, kid: identity.public.id },
      utf8(JSON.stringify({ ...statement, nonce, time: this.#core.now_s(), lease, ...found })),
    );
    return ok({ ...found, lease, proof });
  }

  async #receipts(
    level: number,
    from: number,
    count: number,
  ): Promise<Result<Readonly<Record<string, unknown>>>> {
    const { lease, receipts } = this.#own(level);
    const first = Math.max(from, receipts - limits.receipts_kept_max + 1, 1);
    const last = Math.min(receipts, first + count - 1);
    return ok({ from: first, last: receipts, receipts: await this.#journal.receipts(lease, first, last) });
  }

  #filters(level: number, of: number): Result<Readonly<Record<string, unknown>>> {
    if (of > level)
      return refuse('not-authorised', 'a level reads its own filters, and what those above let through');
    if (of < level) {
      const boxes = passedAbove(this.#core.state, of);
      return boxes.ok ? ok({ level: of, boxes: boxes.value }) : boxes;
    }
    const { filters } = this.#own(level);
    const { version, names, restored } = filters;
    return ok({ version, set: setOf(filters), names, ...(restored ? { restored } : {}) });
  }
}

/** A level above tightened since: the filters allow more than is passed. */
function noLongerFitting(state: NodeState, level: number): Readonly<Record<string, unknown>> {
  const proof = proofOf(state, level);
  if (!proof.ok || proof.value.within) return {};
  return { noLongerFit: { packet: packetOf(proof.value), refusedBy: proof.value.level } };
}

/** What a power command acts on, said honestly, and the one that is under way. */
function powerFacts({ power: actsOn = 'process' }: MachineFacts, { jobs }: NodeState): object {
  const job = jobs.find((one) => one.state === 'running' && one.power);
  const { act, reason, at_s } = job?.power ?? {};
  return { power: { actsOn, ...(job ? { job: job.id, act, reason, at: at_s } : {}) } };
}
