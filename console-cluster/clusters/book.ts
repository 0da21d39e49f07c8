import type { KnownNode, NodeBook } from '../../console/nodes/book.js';
import type { KeyStore, Op } from '../../console/store/port.js';
import { limits } from '../../protocol/limits.js';
import type { Log } from '../../protocol/log.js';
import { newId } from '../../protocol/request.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { addressesIn, forEach, type Wanted } from '../../console/filters/push.js';
import { keepTogether, takeBackTogether, tryTogether, type Target } from '../../console/filters/together.js';
import type { Trial } from '../../console/filters/trial.js';
import { draftWithoutNode } from './edits.js';
import type { Naming } from '../dhcp/book.js';
import { boundariesOf, clusterOf, talksOf, type Plan, type Talk } from './compute.js';
import { Ledger } from './ledger.js';
import type { Boundary, Change, Cluster, Exception } from './record.js';
import { expectedVersion, pushTo, settle, type SettleParts } from './settle.js';

export interface ClusterBookParts {
  readonly store: KeyStore;
  readonly nodes: NodeBook;
  readonly now: () => number;
  readonly log: Log;
}

/** What people want changed; the records to be written with it. */
export interface Draft {
  readonly clusters: Map<string, Cluster>;
  readonly exceptions: Map<string, Exception>;
}

export interface Asked {
  readonly by: string;
  readonly what: string;
  /** Only say what it would do. */
  readonly dry?: boolean | undefined;
  /** Nodes whose filters somebody changed by hand are given theirs all the same. */
  readonly overDrift?: boolean | undefined;
}

export interface Outcome {
  readonly change: string;
  /** The nodes that have it, and those that get it once they are back. */
  readonly taken: readonly string[];
  readonly behind: readonly string[];
}

/**
 * Clusters, exceptions, and the boundary of every node that follows from them.
 *
 * INVARIANTS:
 * - One change at a time (`#tail`). A change is decided by one write, which holds the new clusters and exceptions and takes away the mark that it is on trial.
 * - Before that write every node that can be reached has taken its new boundary on trial, and undoes it by itself unless it is confirmed.
 *   So a node that refuses, or a console that dies, leaves all of them with what they had.
 * - A node that cannot be reached keeps what it has, is shown as behind, and gets its boundary when it is back.
 * - What a node has that this console did not give it is shown as drift and never overwritten unseen.
 */
export class ClusterBook {
  readonly #parts: ClusterBookParts & SettleParts;
  readonly #ledger: Ledger;
  readonly #stirred = new Set<string>();
  /** How often a node was heard to have moved, the start of this console among them, and how many of these all nodes were told of since. */
  #moves = 1;
  #told = 0;
  #tail: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #deaf: (() => void) | undefined;

  constructor(parts: ClusterBookParts) {
    this.#ledger = new Ledger(parts.store, parts.log);
    this.#parts = { ...parts, ledger: this.#ledger };
  }

  async open(): Promise<Result<true>> {
    return this.#ledger.open();
  }

  /** Takes up what was left behind, and follows what the nodes say. */
  start(): void {
    this.#deaf = this.#parts.nodes.listen((event) => {
      if (event.type === 'nodes') this.#heard(event.nodes);
    });
    const all = (): void => this.#stirUp([...this.#ledger.boundaries.keys()]);
    this.#timer = setInterval(all, limits.boundary_settle_ms);
    all();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#deaf?.();
    await this.#tail;
  }

  get plan(): Plan {
    return this.#ledger.plan;
  }

  get boundaries(): ReadonlyMap<string, Boundary> {
    return this.#ledger.boundaries;
  }

  wanted(node: string): Wanted | undefined {
    return boundariesOf(this.plan, this.#parts.now()).get(node);
  }

  talks(): Talk[] {
    return talksOf(this.plan, this.#parts.now());
  }

  async change(edit: (draft: Draft) => Result<readonly Op[]>, asked: Asked): Promise<Result<Outcome>> {
    const turn = this.#tail.then(async () => this.#changeNow(edit, asked));
    this.#tail = turn.catch(() => undefined);
    return turn;
  }

  clusterOps = {
    put: (name: string, cluster: Cluster): Op => this.#ledger.cluster.op(name, cluster),
    remove: (name: string): Op => ({ type: 'delete', key: `cluster/${name}` }),
    putException: (id: string, exception: Exception): Op => this.#ledger.exception.op(id, exception),
    removeException: (id: string): Op => ({ type: 'delete', key: `exception/${id}` }),
    removeBoundary: (node: string): Op => ({ type: 'delete', key: `boundary/${node}` }),
  };

  async #changeNow(edit: (draft: Draft) => Result<readonly Op[]>, asked: Asked): Promise<Result<Outcome>> {
    const draft: Draft = {
      clusters: new Map(this.#ledger.clusters),
      exceptions: new Map(this.#ledger.exceptions),
    };
    const ops = edit(draft);
    if (!ops.ok) return ops;
    const wanted = this.#wantedBy(draft);
    const targets = this.#targets(wanted);
    const names = targets.map(({ node }) => node);
    if (asked.dry) return ok({ change: '', taken: names, behind: [] });
    const drifted = names.filter((node) => this.#ledger.boundaries.get(node)?.state === 'drifted');
    if (drifted.length > 0 && asked.overDrift !== true)
      return refuse('boundary-drifted', drifted.join(' '), { data: { nodes: drifted } });
    const id = newId();
    const { by, what } = asked;
    const change: Change = { id, by, what, at: this.#parts.now(), nodes: names };
    const written = await this.#ledger.change.put(id, change, 0);
    if (!written.ok) return written;
    this.#parts.log.info('boundary-trying', { change: id, what, nodes: names.length });
    const tried = await tryTogether(this.#parts.nodes, targets);
    if (!tried.ok) {
      await this.#parts.store.write([this.#ledger.changeOver(id)]);
      return tried;
    }
    return this.#commit(draft, { ops: ops.value, change, targets, wanted, trials: tried.value });
  }

  #wantedBy(draft: Draft): ReadonlyMap<string, Wanted> {
    const wanted = new Map(boundariesOf({ ...draft, addresses: this.#ledger.addresses }, this.#parts.now()));
    // A node that left its cluster is closed, not forgotten with what it had.
    for (const node of this.#ledger.boundaries.keys())
      if (!wanted.has(node) && this.#parts.nodes.get(node).ok) wanted.set(node, closed);
    return wanted;
  }

  #targets(wanted: ReadonlyMap<string, Wanted>): Target[] {
    return [...wanted].flatMap(([node, one]) => {
      const present = this.#ledger.boundaries.get(node);
      if (present?.taken?.digest === one.digest && present.state === 'in-step') return [];
      return [{ node, wanted: one, expect: expectedVersion(this.#parts, node) }];
    });
  }

  async #commit(
    draft: Draft,
    done: {
      readonly ops: readonly Op[];
      readonly change: Change;
      readonly targets: readonly Target[];
      readonly wanted: ReadonlyMap<string, Wanted>;
      readonly trials: ReadonlyMap<string, Trial>;
    },
  ): Promise<Result<Outcome>> {
    const { change, targets, trials } = done;
    const since = this.#parts.now();
    const behind = targets.map(({ node, wanted }): [string, Boundary] => [
      node,
      { ...this.#ledger.boundaries.get(node), wanted: wanted.digest, state: 'behind', since },
    ]);
    const written = await this.#parts.store.write([
      ...done.ops,
      ...behind.map(([node, boundary]) => this.#ledger.boundaryOp(node, boundary)),
      this.#ledger.changeOver(change.id),
    ]);
    if (!written.ok) {
      await takeBackTogether(this.#parts.nodes, trials);
      return written;
    }
    this.#parts.log.info('boundary-committed', { change: change.id });
    this.#ledger.clusters = draft.clusters;
    this.#ledger.exceptions = draft.exceptions;
    for (const [node, boundary] of behind) this.#ledger.boundaries.set(node, boundary);
    const taken = new Set(await keepTogether(trials));
    for (const { node, wanted } of targets) {
      const version = trials.get(node)?.version;
      if (version === undefined || !taken.has(node)) continue;
      const { digest } = wanted;
      const at = this.#parts.now();
      this.#ledger.boundaries.set(node, {
        wanted: digest,
        state: 'in-step',
        taken: { digest, version },
        since: at,
      });
    }
    const stored = await this.#parts.store.write(
      [...taken].flatMap((node) => {
        const boundary = this.#ledger.boundaries.get(node);
        return boundary ? [this.#ledger.boundaryOp(node, boundary)] : [];
      }),
    );
    if (!stored.ok) this.#parts.log.error('boundary-unwritten', { code: stored.refusal.code });
    const rest = targets.map(({ node }) => node).filter((node) => !taken.has(node));
    return ok({ change: change.id, taken: [...taken].toSorted(), behind: rest.toSorted() });
  }

  /** A node that was retired, and is not among our nodes any more, is in no cluster either. */
  async forget(node: string, by: string): Promise<Result<Outcome>> {
    const done = await this.change(draftWithoutNode(this, node), { by, what: `${node} is retired` });
    if (done.ok) this.#ledger.boundaries.delete(node);
    return done;
  }

  /** Gives a node what it should have, whatever stands there now. */
  async push(node: string): Promise<Result<Boundary>> {
    const turn = this.#tail.then(async () => {
      const wanted = this.wanted(node) ?? (this.#ledger.boundaries.has(node) ? closed : undefined);
      return wanted ? pushTo(this.#parts, node, wanted) : refuse('not-found', `${node} is in no cluster`);
    });
    this.#tail = turn.catch(() => undefined);
    return turn;
  }

  #heard(nodes: readonly KnownNode[]): void {
    const moved = nodes.filter((node) => {
      const said = addressesIn(node);
      return said && this.#ledger.heard(node.card.name, said);
    });
    // Whoever names a node that moved has to hear of it, not only the node itself.
    if (moved.length > 0) {
      this.#moves += 1;
      this.#stirUp([...this.#ledger.boundaries.keys()]);
    }
    this.#stirUp(nodes.map(({ card }) => card.name).filter((name) => this.#ledger.boundaries.has(name)));
  }

  /** Looks at these nodes once the change that runs is done. */
  #stirUp(nodes: readonly string[]): void {
    const idle = this.#stirred.size === 0;
    for (const node of nodes) this.#stirred.add(node);
    if (!idle || this.#stirred.size === 0) return;
    const turn = this.#tail.then(async () => {
      const [all, moves] = [[...this.#stirred], this.#moves];
      this.#stirred.clear();
      const wanted = boundariesOf(this.plan, this.#parts.now());
      await forEach(all, async (node) => settle(this.#parts, node, wanted.get(node) ?? closed));
      this.#told = moves;
    });
    this.#tail = turn.catch((error: unknown) => {
      this.#parts.log.error('boundary-settling', { error: String(error) });
    });
  }

  /** What the boundaries that stand may name, for who gives addresses. */
  readonly naming: Naming = {
    isOfAnother: (address, node) => {
      const holder = this.#ledger.holderOf(address);
      return holder !== undefined && holder !== node && this.#parts.nodes.get(holder).ok;
    },
    // Who never took a boundary lets nobody through.
    isAnyBehind: () => {
      const taken = [...this.#ledger.boundaries.values()].filter((boundary) => boundary.taken);
      return taken.length > 0 && (this.#told < this.#moves || taken.some(({ state }) => state !== 'in-step'));
    },
  };

  clusterOf(node: string): string | undefined {
    return clusterOf(this.plan, node);
  }
}

/** For a node that is in no cluster any more: it talks to nobody but its consoles. */
const closed: Wanted = boundariesOf(
  { clusters: new Map([['none', { members: ['none'] }]]), exceptions: new Map(), addresses: new Map() },
  0,
).get('none') as Wanted;
