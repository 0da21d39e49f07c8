import { limits } from '../../protocol/limits.js';
import { parseJson } from '../../protocol/json.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { KeyStore, Op } from '../store/port.js';
import { chapterForm, type Happening } from './record.js';

const prefixOf = (lease: string): string => `past/${lease}/`;
const keyOf = (lease: string, first: number): string =>
  `${prefixOf(lease)}${String(first).padStart(16, '0')}`;

/** The entries that were fetched, a page in each record, under the number of its first. */
export class Chapters {
  readonly #store: KeyStore;

  constructor(store: KeyStore) {
    this.#store = store;
  }

  op(lease: string, first: number, entries: readonly Happening[]): Op {
    return { type: 'put', key: keyOf(lease, first), value: Buffer.from(JSON.stringify({ entries })) };
  }

  /** What goes when the head is here: the oldest pages beyond what is kept. */
  async outdated(lease: string, head: number): Promise<Op[]> {
    const oldest = head - limits.past_entries_kept_max;
    if (oldest <= 0) return [];
    const page = await this.#store.range({ prefix: prefixOf(lease), limit: 16 });
    const keep = keyOf(lease, Math.max(0, oldest - limits.history_page_entries_max));
    return page.entries.filter(({ key }) => key < keep).map(({ key }) => ({ type: 'delete', key }));
  }

  /** From this moment of the node's clock on, oldest first, the latest of them when they are too many. */
  async since(
    lease: string,
    since_ms: number,
    most: number,
  ): Promise<Result<{ readonly entries: readonly Happening[]; readonly more: boolean }>> {
    const found: Happening[][] = [];
    let count = 0;
    for (let after: string | undefined; ;) {
      const page = await this.#store.range({
        prefix: prefixOf(lease),
        reverse: true,
        limit: 1,
        ...(after === undefined ? {} : { after }),
      });
      const [chapter] = page.entries;
      if (!chapter) break;
      const json = parseJson(chapter.value);
      const read = json.ok ? chapterForm(json.value, chapter.key) : json;
      if (!read.ok) return refuse('store-unreadable', `${chapter.key}: ${read.refusal.detail}`);
      const wanted = read.value.entries.filter(({ time }) => time >= since_ms);
      found.push(wanted);
      count += wanted.length;
      after = chapter.key;
      if (!page.more || count > most || wanted.length < read.value.entries.length) break;
    }
    const entries = found.toReversed().flat();
    return ok({ entries: entries.slice(-most), more: entries.length > most });
  }
}
