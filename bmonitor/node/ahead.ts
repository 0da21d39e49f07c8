import { sealBox } from '../../crypto/box.js';
import { utf8 } from '../../crypto/jose.js';
import type { Secret } from '../../crypto/secret.js';
import { limits } from '../../protocol/limits.js';
import type { KeyRing } from '../keys/ring.js';
import type { Store, StoreOp } from '../ports/store.js';
import { gatedRooms, historyKey, homeOf } from './places.js';
import type { Level, NodeState } from './state.js';

interface Histories {
  readonly state: NodeState;
  history(lease: string, from: number, count: number, head: number): Promise<readonly string[]>;
}

/** Lines that stand under the next data key: from the first one up to, and without, `next`. */
class Lines {
  readonly key: Secret;
  readonly #first: number;
  next: number;

  constructor(key: Secret, first: number) {
    this.key = key;
    this.#first = first;
    this.next = first;
  }

  /** The numbers of those that stand before one. */
  before(seq: number): readonly number[] {
    return Array.from(
      { length: Math.max(0, Math.min(seq, this.next) - this.#first) },
      (_, at) => this.#first + at,
    );
  }
}

/**
 * Lines of histories under the next data keys of their leases, in the places that are kept for these, ahead of the change that makes them count:
 * so that the change itself is short however long a history is. Until then they belong to nobody, and a start clears them away.
 */
export class HistoryAhead {
  readonly #store: Store;
  readonly #histories: Histories;
  readonly #lines = new Map<string, Lines>();

  constructor(store: Store, histories: Histories) {
    this.#store = store;
    this.#histories = histories;
  }

  /** What stands under the data key that the lease has in a ring, if it was copied ahead. */
  under(lease: string, ring: KeyRing): Lines | undefined {
    const lines = this.#lines.get(lease);
    return lines && ring.data.get(lease) === lines.key ? lines : undefined;
  }

  /** False: it was broken off. */
  async copy(lease: string, key: Secret, epoch: number, goesOn: () => boolean): Promise<boolean> {
    await this.clear(lease, epoch);
    const marks = (): Level['history'] | undefined =>
      this.#histories.state.levels.find((one) => one.lease === lease)?.history;
    const lines = new Lines(key, marks()?.first ?? 1);
    this.#lines.set(lease, lines);
    for (;;) {
      const head = marks()?.head.seq ?? 0;
      if (lines.next > head || !goesOn()) return goesOn();
      const texts = await this.#histories.history(lease, lines.next, limits.history_page_entries_max, head);
      // What was trimmed meanwhile is not there to be copied; what cannot be read is left to the change itself.
      if (texts.length === 0 && (marks()?.first ?? 0) <= lines.next) return goesOn();
      await this.#write(`${lease}/${epoch}`, lines, texts);
      if (texts.length === 0) lines.next = marks()?.first ?? lines.next + 1;
    }
  }

  /** In pieces, so that long lines do not fill the memory a second time. */
  async #write(home: string, lines: Lines, texts: readonly string[]): Promise<void> {
    let [piece, bytes]: [StoreOp[], number] = [[], 0];
    for (const text of texts) {
      const key = historyKey(home, lines.next);
      const value = sealBox(lines.key, key, utf8(text));
      piece.push({ type: 'put', key, value });
      lines.next += 1;
      bytes += value.length;
      if (bytes < limits.journal_piece_bytes) continue;
      await this.#store.batch(piece);
      [piece, bytes] = [[], 0];
    }
    await this.#store.batch(piece);
  }

  /** Where the lines stand that were trimmed, also those that were copied ahead before. */
  trimmed(before: NodeState, after: NodeState, ring: KeyRing): readonly string[] {
    return before.levels.flatMap(({ lease, history }) => {
      const now = after.levels.find((one) => one.lease === lease);
      if (!now) return [];
      const { first } = now.history;
      const ahead = this.under(lease, ring)?.before(first) ?? [];
      const here = Array.from({ length: Math.max(0, first - history.first) }, (_, at) => history.first + at);
      return [
        ...ahead.map((seq) => historyKey(homeOf(after, lease), seq)),
        ...here.map((seq) => historyKey(homeOf(before, lease), seq)),
      ];
    });
  }

  /** It counts now: nothing is ahead any more. */
  forget(lease: string): void {
    this.#lines.delete(lease);
  }

  /** Takes away what was copied and never counted. */
  async clear(lease: string, epoch: number): Promise<void> {
    this.#lines.delete(lease);
    for (const room of gatedRooms) {
      const ops: StoreOp[] = [];
      for await (const [key] of this.#store.entries(`${room}/${lease}/${epoch}/`))
        ops.push({ type: 'del', key });
      await this.#store.batch(ops);
    }
  }
}
