import { release } from 'node:os';
import type {
  Applied,
  Canary,
  CanaryOutcome,
  Comparisons,
  CountedFlow,
  Firewall,
  FirewallCounters,
  FirewallEvent,
  FirewallProgram,
  ReadBack,
  RefusedPacket,
} from '../../ports/firewall.js';
import { missesDuringChanges } from '../../ports/kernel-version.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import { countFlows, listFlows, readElementCounters, readNamedCounters } from './accounting.js';
import { Applier, type Comparing } from './applier.js';
import { sendCanaries } from './canary.js';
import type { Prefix } from './nft-shell.js';
import { RefusedLog } from './refused.js';
import { Stream } from './stream.js';
import type { Standing } from './transition.js';
import { RuleWatcher } from './watcher.js';

export interface KernelFirewallOptions {
  /** Words that lead into the network namespace of the node; none if this process is in it. */
  readonly prefix?: Prefix;
  readonly log: { readonly group: number; readonly prefix: string };
  readonly wall: () => number;
}

/** Another program rarely changes one thing only; and a repair within two seconds is promised. */
const settle_ms = 100;
/** Even a change that the watch did not hear of is found. */
const look_ms = 1500;
/** All elements are listed and loaded anew for a comparison. They are compared at every sign of another program, and besides seldom enough to cost a hundredth of one processor. */
const elementsLook_ms_min = 60_000;
const elementsLookRest = 100;
/**
 * Every change makes nft begin its listing anew, so beside many changes it would never end, and would take a processor from them meanwhile: when only
 * time asks for it, it waits until nothing has changed for so long.
 */
const still_ms = 1000;
/** Then it is done all the same, and changes wait for it. */
const elementsLate_ms_max = 600_000;
const events_held_max = 100;
/** When nothing is known after so many changes, it is not because of them. */
const standingTries_max = 5;

/** The real firewall: nftables of the network namespace this process runs in. */
export class KernelFirewall implements Firewall {
  readonly #prefix: Prefix;
  readonly #options: KernelFirewallOptions;
  readonly #applier: Applier;
  readonly #refused: RefusedLog;
  readonly #watcher: RuleWatcher;
  readonly #events = new Stream<FirewallEvent>(events_held_max);
  readonly #timers = new Set<NodeJS.Timeout>();
  #last: Promise<unknown> = Promise.resolve();
  #since = 0;
  #changedByOthers = false;
  #comparisons: Comparisons = {};
  #elementsDue_ms = 0;
  /** When a program was applied last. */
  #changed_ms = -still_ms;
  /** A look at all elements, which ends when something is to be changed. */
  #looking: AbortController | undefined;
  #closed = false;

  private constructor(options: KernelFirewallOptions) {
    this.#options = options;
    this.#prefix = options.prefix ?? [];
    this.#applier = new Applier(this.#prefix);
    this.#refused = new RefusedLog(this.#prefix, {
      group: options.log.group,
      logPrefix: options.log.prefix,
    });
    this.#watcher = new RuleWatcher(this.#prefix, (pid) => this.#heard(pid));
    this.#every(look_ms, () => this.#look());
  }

  static async open(options: KernelFirewallOptions): Promise<Result<KernelFirewall>> {
    const counting = await countFlows(options.prefix ?? []);
    if (!counting.ok) return counting;
    const firewall = new KernelFirewall(options);
    const version = release();
    if (missesDuringChanges(version)) firewall.#events.push({ kind: 'old-kernel', version });
    return ok(firewall);
  }

  workOut(program: FirewallProgram): void {
    this.#applier.workOut(program);
  }

  apply(program: FirewallProgram): Promise<Result<Applied>> {
    this.#looking?.abort();
    return this.#inTurn(async () => {
      const applied = await this.#applier.apply(program);
      this.#changed_ms = performance.now();
      if (applied.ok && this.#since === 0) this.#since = this.#options.wall();
      return applied;
    });
  }

  readBack(): Promise<Result<ReadBack>> {
    return this.#inTurn(() => this.#check({ elements: true }));
  }

  get comparisons(): Comparisons {
    return this.#comparisons;
  }

  counters(): Promise<Result<FirewallCounters>> {
    return this.#inTurn(async () => {
      const { standing } = this.#applier;
      if (standing === undefined) return refuse('firewall-refused', 'nothing was applied yet');
      const elements = await readElementCounters(this.#prefix, standing);
      if (!elements.ok) return elements;
      const named = await readNamedCounters(this.#prefix);
      if (!named.ok) return named;
      return ok({ elements: elements.value, named: named.value, since: this.#since });
    });
  }

  flows(): Promise<Result<readonly CountedFlow[]>> {
    return listFlows(this.#prefix);
  }

  probe(canaries: readonly Canary[]): Promise<readonly CanaryOutcome[]> {
    return sendCanaries(canaries, this.#prefix);
  }

  refused(): AsyncIterable<RefusedPacket> {
    return this.#refused.read();
  }

  events(): AsyncIterable<FirewallEvent> {
    return this.#events.read();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    await this.#last;
    await Promise.all([this.#watcher.close(), this.#refused.close(), this.#applier.close()]);
    this.#events.end();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    return turn;
  }

  async #check(options: { elements: boolean }): Promise<Result<ReadBack>> {
    const compared = await this.#compare(options);
    if (!compared.ok) return compared;
    if (compared.value.length === 0) return ok({ differed: [], repaired: false });
    const repaired = await this.#applier.repair();
    if (!repaired.ok) {
      this.#events.push({ kind: 'repair-failed', detail: repaired.refusal.detail ?? '' });
      return repaired;
    }
    this.#comparisons = {
      ...this.#comparisons,
      differed: { at: this.#options.wall(), what: compared.value },
    };
    this.#events.push({ kind: 'altered', what: compared.value, repaired: true });
    return ok({ differed: compared.value, repaired: true });
  }

  async #compare(options: Comparing): Promise<Result<readonly string[]>> {
    const began = performance.now();
    const at = this.#options.wall();
    const compared = await this.#applier.compare(options);
    const took = performance.now() - began;
    if (options.elements && options.signal?.aborted !== true)
      this.#elementsDue_ms = began + Math.max(elementsLook_ms_min, took * elementsLookRest);
    if (compared.ok)
      this.#comparisons = {
        ...this.#comparisons,
        rulesAt: at,
        ...(options.elements ? { elementsAt: at } : {}),
      };
    return compared;
  }

  /** Our own changes come from the shell; what ran in our turn besides it only reads. */
  #heard(pid: number): void {
    if (pid === this.#applier.shellPid || this.#changedByOthers) return;
    this.#changedByOthers = true;
    this.#after(settle_ms, () => this.#look());
  }

  /** Looks without holding up changes; what seems to differ is looked at again in turn, when nothing can be half done. */
  async #look(): Promise<void> {
    if (this.#closed || !this.#applier.active) return;
    const byOthers = this.#changedByOthers;
    this.#changedByOthers = false;
    const now_ms = performance.now();
    const late_ms = now_ms - this.#elementsDue_ms;
    const moving = now_ms - this.#changed_ms < still_ms;
    const elements = byOthers || (late_ms >= 0 && (!moving || late_ms > elementsLate_ms_max));
    if (elements && moving) return this.#lookInTurn({ elements });
    const standing = await this.#standingNow();
    const compared = await this.#lookAside({ elements });
    if (compared.ok && compared.value.length === 0) return;
    // We changed something in the meantime: what only time asked for can wait.
    if (!byOthers && standing !== undefined && this.#applier.standing !== standing) return;
    await this.#lookInTurn({ elements });
  }

  async #lookAside(options: { elements: boolean }): Promise<Result<readonly string[]>> {
    if (!options.elements) return this.#compare({ ...options, glance: true });
    const looking = new AbortController();
    this.#looking = looking;
    const compared = await this.#compare({ ...options, signal: looking.signal });
    if (this.#looking === looking) this.#looking = undefined;
    return compared;
  }

  #lookInTurn(options: { elements: boolean }): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.#closed) await this.#check(options);
    });
  }

  /** What stands between two changes: in the midst of one nothing is known, and a look would have to hold up the next. */
  async #standingNow(): Promise<Standing | undefined> {
    for (let tries = 0; tries < standingTries_max && this.#applier.standing === undefined; tries++)
      await this.#last;
    return this.#applier.standing;
  }

  #after(delay_ms: number, work: () => Promise<void>): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      void work();
    }, delay_ms);
    timer.unref();
    this.#timers.add(timer);
  }

  #every(period_ms: number, work: () => Promise<void>): void {
    const again = async (): Promise<void> => {
      await work();
      if (!this.#closed) this.#after(period_ms, again);
    };
    this.#after(period_ms, again);
  }
}
