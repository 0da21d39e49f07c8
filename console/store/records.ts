import { parseJson } from '../../protocol/json.js';
import type { Parse } from '../../protocol/parse.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { Condition, KeyStore, Op, Revision } from './port.js';

export interface Stored<T> {
  readonly name: string;
  readonly value: T;
  readonly revision: Revision;
}

/** Records of one kind under one prefix, held to their form when they are read as well. */
export class Records<T extends object> {
  readonly #store: KeyStore;
  readonly #prefix: string;
  readonly #parse: Parse<T>;

  constructor(store: KeyStore, prefix: string, parse: Parse<T>) {
    this.#store = store;
    this.#prefix = prefix;
    this.#parse = parse;
  }

  #read(key: string, bytes: Uint8Array, revision: Revision): Result<Stored<T>> {
    const json = parseJson(bytes);
    const parsed = json.ok ? this.#parse(json.value, key) : json;
    if (!parsed.ok) return refuse('store-unreadable', `${key}: ${parsed.refusal.detail}`);
    return ok({ name: key.slice(this.#prefix.length), value: parsed.value, revision });
  }

  async get(name: string): Promise<Result<Stored<T>>> {
    const entry = await this.#store.get(this.#prefix + name);
    return entry ? this.#read(entry.key, entry.value, entry.revision) : refuse('not-found', name);
  }

  async all(): Promise<Result<readonly Stored<T>[]>> {
    const found: Stored<T>[] = [];
    for (let after: string | undefined; ;) {
      const page = await this.#store.range({
        prefix: this.#prefix,
        ...(after === undefined ? {} : { after }),
      });
      for (const { key, value, revision } of page.entries) {
        const record = this.#read(key, value, revision);
        if (!record.ok) return record;
        found.push(record.value);
        after = key;
      }
      if (!page.more) return ok(found);
    }
  }

  op(name: string, value: T): Op {
    return { type: 'put', key: this.#prefix + name, value: Buffer.from(JSON.stringify(value)) };
  }

  /** Revision 0 for a record that must be new. */
  condition(name: string, revision: Revision): Condition {
    return { key: this.#prefix + name, revision };
  }

  async put(name: string, value: T, revision?: Revision): Promise<Result<Revision>> {
    const conditions = revision === undefined ? [] : [this.condition(name, revision)];
    return this.#store.write([this.op(name, value)], conditions);
  }

  async remove(name: string, revision: Revision): Promise<Result<Revision>> {
    const op: Op = { type: 'delete', key: this.#prefix + name };
    return this.#store.write([op], [this.condition(name, revision)]);
  }
}
