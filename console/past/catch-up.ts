import type { PublicKey } from '../../crypto/rsa.js';
import { limits } from '../../protocol/limits.js';
import type { Log } from '../../protocol/log.js';
import { identityOf, type NodeCard } from '../../protocol/node-card.js';
import { ok, type Refusal, type Result } from '../../protocol/result.js';
import type { BookEvent, KnownNode, NodeBook } from '../nodes/book.js';
import type { KeyStore, Op } from '../store/port.js';
import { Records } from '../store/records.js';
import { Chapters } from './chapters.js';
import { readPage, type Read } from './page.js';
import { caughtForm, type Caught } from './record.js';

export interface CatchUpParts {
  readonly store: KeyStore;
  readonly book: Pick<NodeBook, 'get' | 'list' | 'request' | 'listen'>;
  readonly own: PublicKey;
  readonly now: () => number;
  readonly log: Log;
}

/** What came of fetching from one node. `fresh`: entries that were not known before. */
export interface Fetched {
  readonly node: string;
  readonly fresh: number;
  readonly trouble?: Refusal;
}

/**
 * Fetches from each node's history what happened since this console last knew it, when it is on only now and then.
 *
 * INVARIANTS:
 * - An entry is kept only when it follows, line by line, on the head that was kept before, and the head moves in the same write.
 * - A history that does not lead from the head that was seen to the one that the node signs now moves nothing: both signatures are kept.
 * - One fetch from one node at a time, and a few nodes at once.
 */
export class CatchUp {
  readonly #parts: CatchUpParts;
  readonly #caught: Records<Caught>;
  readonly chapters: Chapters;
  readonly #running = new Map<string, Promise<Fetched>>();
  readonly #troubles = new Map<string, Refusal>();
  /** The last event of a node for which its history was fetched, and the timer of the next fetch. */
  readonly #seen = new Map<string, number>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #waiting: (() => void)[] = [];
  #busy = 0;
  #stopListening: () => void = () => {};

  constructor(parts: CatchUpParts) {
    this.#parts = parts;
    this.#caught = new Records(parts.store, 'caught/', caughtForm);
    this.chapters = new Chapters(parts.store);
  }

  /** From now on every node that answers is asked, first at once, then when something happened there. */
  begin(): void {
    this.#stopListening = this.#parts.book.listen((event) => this.#heard(event));
  }

  end(): void {
    this.#stopListening();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  async known(lease: string): Promise<Caught | undefined> {
    const found = await this.#caught.get(lease);
    return found.ok ? found.value.value : undefined;
  }

  /** Of all leases, those too that are over. */
  async all(): Promise<Result<readonly Caught[]>> {
    const all = await this.#caught.all();
    return all.ok ? ok(all.value.map(({ value }) => value)) : all;
  }

  /** Why nothing newer could be fetched from a node, if that is so. */
  trouble(node: string): Refusal | undefined {
    return this.#troubles.get(node);
  }

  async fetch(node: string): Promise<Fetched> {
    const present = this.#running.get(node);
    if (present) return present;
    const running = this.#inTurn(node);
    this.#running.set(node, running);
    const done = await running;
    this.#running.delete(node);
    if (done.trouble) this.#troubles.set(node, done.trouble);
    else this.#troubles.delete(node);
    return done;
  }

  async #inTurn(node: string): Promise<Fetched> {
    if (this.#busy >= limits.past_fetches_at_once_max)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#busy += 1;
    try {
      return await this.#pages(node);
    } finally {
      this.#busy -= 1;
      this.#waiting.shift()?.();
    }
  }

  #heard(event: BookEvent): void {
    if (event.type !== 'nodes') return;
    for (const known of event.nodes) {
      const last = known.events?.at(-1)?.seq ?? 0;
      const before = this.#seen.get(known.card.name);
      if (known.state !== 'good' || (before !== undefined && last <= before)) continue;
      this.#seen.set(known.card.name, last);
      this.#later(known.card.name, before === undefined ? 0 : limits.past_again_ms);
    }
  }

  #later(node: string, wait_ms: number): void {
    if (this.#timers.has(node)) return;
    const timer = setTimeout(() => {
      this.#timers.delete(node);
      void this.fetch(node).then(({ trouble }) => {
        const { log } = this.#parts;
        if (trouble) log.warn('catch-up', { node, code: trouble.code, detail: trouble.detail });
      });
    }, wait_ms);
    this.#timers.set(node, timer.unref());
  }

  async #pages(node: string): Promise<Fetched> {
    let fresh = 0;
    for (;;) {
      const found = this.#parts.book.get(node);
      if (!found.ok) return { node, fresh, trouble: found.refusal };
      const read = await this.#page(found.value);
      if (!read.ok) return { node, fresh, trouble: read.refusal };
      fresh += read.value.happened.length;
      if (!read.value.more) return { node, fresh };
      // Others are served between two pages, whose signatures take their time.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async #page(known: KnownNode): Promise<Result<Read>> {
    const { card } = known;
    const { book, own } = this.#parts;
    const identity = identityOf(card);
    if (!identity.ok) return identity;
    const kept = await this.#caught.get(card.lease);
    if (!kept.ok && kept.refusal.code !== 'not-found') return kept;
    const before = kept.ok ? kept.value.value : undefined;
    const reply = await book.request(
      card.name,
      { type: 'history.read', from: (before?.head.seq ?? 0) + 1, count: limits.history_page_entries_max },
      before ? { head: before.head } : {},
    );
    const answer = reply.ok ? (reply.value.result ?? {}) : {};
    const read = reply.ok
      ? await readPage(answer, before, { identity: identity.value, own, lease: card.lease })
      : reply;
    if (read.ok) {
      const written = await this.#keep(card, before, read.value);
      return written.ok ? read : written;
    }
    if (read.refusal.code === 'history-fork' && before) await this.#keepFork(before, read.refusal, answer);
    return read;
  }

  async #keep(card: NodeCard, before: Caught | undefined, read: Read): Promise<Result<true>> {
    const { happened, head, consoles, checkpoint, missing } = read;
    const first = happened[0]?.seq;
    const outdated = await this.chapters.outdated(card.lease, head.seq);
    const gaps = [...(before?.missing ?? []), ...missing];
    const caught: Caught = {
      node: card.name,
      lease: card.lease,
      level: card.level,
      head,
      at: this.#parts.now(),
      checkpoint,
      consoles,
      missing: gaps.slice(-limits.past_gaps_kept_max),
    };
    const ops: Op[] = [
      this.#caught.op(card.lease, caught),
      ...(first === undefined ? [] : [this.chapters.op(card.lease, first, happened)]),
      ...outdated,
    ];
    const written = await this.#parts.store.write(ops);
    return written.ok ? ok(true) : written;
  }

  async #keepFork(
    before: Caught,
    refusal: Refusal,
    answer: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const now = answer['checkpoint'];
    const fork = {
      at: this.#parts.now(),
      detail: `${refusal.detail ?? ''} ${refusal.data ? JSON.stringify(refusal.data) : ''}`.slice(0, 2000),
      before: before.checkpoint,
      ...(typeof now === 'string' ? { now: now.slice(0, 8192) } : {}),
    };
    const written = await this.#caught.put(before.lease, { ...before, fork });
    if (!written.ok) this.#parts.log.error('fork-not-kept', { code: written.refusal.code });
  }
}
