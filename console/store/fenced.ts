import { refuse, type Result } from '../../protocol/result.js';
import type { Condition, Entry, KeyStore, Op, Page, RangeOptions, Revision, Watcher } from './port.js';

/** The store as the console whose turn it is sees it: every write of it counts only as long as it is its turn. */
export class FencedStore implements KeyStore {
  readonly #store: KeyStore;
  readonly #fence: Condition;
  readonly #passed: () => void;

  constructor(store: KeyStore, fence: Condition, passed: () => void) {
    this.#store = store;
    this.#fence = fence;
    this.#passed = passed;
  }

  async write(ops: readonly Op[], conditions: readonly Condition[] = []): Promise<Result<Revision>> {
    const written = await this.#store.write(ops, [...conditions, this.#fence]);
    if (written.ok || written.refusal.code !== 'store-conflict') return written;
    const present = await this.#store.get(this.#fence.key);
    if (present?.revision === this.#fence.revision) return written;
    this.#passed();
    return refuse('owned-by-another', 'another console took over');
  }

  get(key: string): Promise<Entry | undefined> {
    return this.#store.get(key);
  }

  range(options: RangeOptions): Promise<Page> {
    return this.#store.range(options);
  }

  watch(prefix: string, after: Revision, watcher: Watcher): Promise<Result<() => void>> {
    return this.#store.watch(prefix, after, watcher);
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}
