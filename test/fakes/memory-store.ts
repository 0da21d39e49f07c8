import { checkWrite } from '../../console/store/check.js';
import { compareKeys } from '../../console/store/order.js';
import { changesOf, Watches } from '../../console/store/watches.js';
import type {
  Condition,
  Entry,
  KeyStore,
  Op,
  Page,
  RangeOptions,
  Revision,
  Watcher,
} from '../../console/store/port.js';
import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';

/** The slow, obvious store: a sorted list. It passes the same contract as the real one. */
export class MemoryStore implements KeyStore {
  #entries: Entry[] = [];
  #revision: Revision = 0;
  readonly #watches = new Watches(0);

  get(key: string): Promise<Entry | undefined> {
    return Promise.resolve(this.#entries.find((entry) => entry.key === key));
  }

  range({ prefix, after, reverse, limit }: RangeOptions): Promise<Page> {
    const most = Math.min(limit ?? limits.store_range_entries_max, limits.store_range_entries_max);
    const sign = reverse ? -1 : 1;
    const found = this.#entries
      .filter((entry) => entry.key.startsWith(prefix))
      .sort((a, b) => sign * compareKeys(a.key, b.key))
      .filter((entry) => after === undefined || sign * compareKeys(entry.key, after) > 0);
    return Promise.resolve({
      entries: found.slice(0, most),
      revision: this.#revision,
      more: found.length > most,
    });
  }

  async write(ops: readonly Op[], conditions: readonly Condition[] = []): Promise<Result<Revision>> {
    const checked = checkWrite(ops);
    if (!checked.ok) return checked;
    const broken = conditions.find(
      ({ key, revision }) => (this.#entries.find((entry) => entry.key === key)?.revision ?? 0) !== revision,
    );
    if (broken) return refuse('store-conflict', broken.key);
    const revision = (this.#revision += 1);
    for (const op of ops) {
      this.#entries = this.#entries.filter((entry) => entry.key !== op.key);
      if (op.type === 'put') this.#entries.push({ key: op.key, value: op.value.slice(), revision });
    }
    this.#watches.publish(revision, changesOf(ops, revision));
    return ok(revision);
  }

  watch(prefix: string, after: Revision, watcher: Watcher): Promise<Result<() => void>> {
    return Promise.resolve(this.#watches.add(prefix, after, watcher));
  }

  close(): Promise<void> {
    this.#watches.end();
    return Promise.resolve();
  }
}
