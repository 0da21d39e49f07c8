import type { KeyStore } from '../../console/store/port.js';
import { Records } from '../../console/store/records.js';
import { ok, type Result } from '../../protocol/result.js';
import { inventoryForm, type InventoryRecord } from './record.js';

export type Place = Pick<InventoryRecord, 'room' | 'rack' | 'position' | 'spare'>;

/**
 * What is known of the nodes beside their cards, by name. Read once: the list of nodes asks for it ten thousand times a second.
 *
 * INVARIANT: what is here is in the store.
 */
export class Inventory {
  readonly #records: Records<InventoryRecord>;
  readonly #retired: Records<InventoryRecord>;
  readonly #known = new Map<string, InventoryRecord>();

  constructor(store: KeyStore) {
    this.#records = new Records(store, 'inventory/', inventoryForm);
    this.#retired = new Records(store, 'retired/', inventoryForm);
  }

  async open(): Promise<Result<true>> {
    const all = await this.#records.all();
    if (!all.ok) return all;
    for (const { name, value } of all.value) this.#known.set(name, value);
    return ok(true);
  }

  of(name: string): InventoryRecord {
    return this.#known.get(name) ?? { name, spare: false };
  }

  async put(record: InventoryRecord): Promise<Result<InventoryRecord>> {
    const written = await this.#records.put(record.name, record);
    if (!written.ok) return written;
    this.#known.set(record.name, record);
    return ok(record);
  }

  /** Keeps what is known under the identity that is gone; the name is free again. */
  async retire(record: InventoryRecord, identity: string): Promise<Result<true>> {
    // After a crash in between it is kept once more, when what was known is gone from the list of those that are here.
    const before = await this.#retired.get(identity);
    const kept = await this.#retired.put(identity, { ...(before.ok ? before.value.value : {}), ...record });
    if (!kept.ok) return kept;
    return this.forget(record.name);
  }

  async forget(name: string): Promise<Result<true>> {
    const found = await this.#records.get(name);
    if (found.ok) {
      const removed = await this.#records.remove(name, found.value.revision);
      if (!removed.ok) return removed;
    }
    this.#known.delete(name);
    return ok(true);
  }

  async retired(): Promise<Result<readonly InventoryRecord[]>> {
    const all = await this.#retired.all();
    return all.ok ? ok(all.value.map(({ value }) => value)) : all;
  }
}
