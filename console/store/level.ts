import { Level } from 'level';
import { limits } from '../../protocol/limits.js';
import { messageOf } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { Condition, Entry, KeyStore, Op, Page, RangeOptions, Revision, Watcher } from './port.js';
import { checkWrite } from './check.js';
import { changesOf, Watches } from './watches.js';

type Database = Level<string, Uint8Array>;

const metaRevision = 'm/revision';
const data = 'k/';
const encoding = { keyEncoding: 'utf8', valueEncoding: 'view' } as const;

interface Waiting {
  readonly ops: readonly Op[];
  readonly conditions: readonly Condition[];
  settle(result: Result<Revision>): void;
}

type BatchOp =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: string };

/** A record is eight bytes of revision, then the value. */
function pack(revision: Revision, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(8 + value.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(revision));
  bytes.set(value, 8);
  return bytes;
}

function unpack(key: string, bytes: Uint8Array): Entry {
  const revision = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0));
  return { key, value: bytes.slice(8), revision };
}

/** The first string that is beyond every string with this prefix. */
function beyond(prefix: string): string {
  const last = prefix.charCodeAt(prefix.length - 1);
  return prefix.slice(0, -1) + String.fromCharCode(last + 1);
}

function codeOf(error: unknown): string {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause ? String(cause.code) : '';
}

export async function openLevelStore(path: string): Promise<Result<KeyStore>> {
  const database: Database = new Level<string, Uint8Array>(path, encoding);
  try {
    await database.open();
  } catch (error) {
    const detail = `${path}: ${messageOf(error instanceof Error && error.cause ? error.cause : error)}`;
    if (codeOf(error) === 'LEVEL_LOCKED') return refuse('store-in-use', detail);
    return refuse('store-unreadable', detail);
  }
  const stored: Uint8Array | undefined = await database.get(metaRevision);
  return ok(new LevelStore(database, stored === undefined ? 0 : unpack(metaRevision, stored).revision));
}

/**
 * INVARIANTS:
 * - One group of writes at a time goes to the disk, whole or not at all, and conditions are judged on the state that the write will change.
 * - The revision on disk moves in the same synced batch as the data.
 */
class LevelStore implements KeyStore {
  readonly #database: Database;
  readonly #watches: Watches;
  #revision: Revision;
  readonly #waiting: Waiting[] = [];
  #busy = false;
  #writing: Promise<void> | undefined;

  constructor(database: Database, revision: Revision) {
    this.#database = database;
    this.#revision = revision;
    this.#watches = new Watches(revision);
  }

  async get(key: string): Promise<Entry | undefined> {
    const bytes = await this.#read(data + key);
    return bytes === undefined ? undefined : unpack(key, bytes);
  }

  /** The types of `level` forget that a key may be missing. */
  async #read(
    key: string,
    options: { snapshot?: ReturnType<Database['snapshot']> } = {},
  ): Promise<Uint8Array | undefined> {
    const found: Uint8Array | undefined = await this.#database.get(key, { ...encoding, ...options });
    return found;
  }

  async range(options: RangeOptions): Promise<Page> {
    const limit = Math.min(options.limit ?? limits.store_range_entries_max, limits.store_range_entries_max);
    const bounds = this.#bounds(options);
    const snapshot = this.#database.snapshot();
    try {
      const meta = await this.#read(metaRevision, { snapshot });
      const entries: Entry[] = [];
      const found = this.#database.iterator<string, Uint8Array>({ ...bounds, limit: limit + 1, snapshot });
      for await (const [key, bytes] of found) entries.push(unpack(key.slice(data.length), bytes));
      return {
        entries: entries.slice(0, limit),
        revision: meta === undefined ? 0 : unpack(metaRevision, meta).revision,
        more: entries.length > limit,
      };
    } finally {
      await snapshot.close();
    }
  }

  #bounds(options: RangeOptions): { gt?: string; gte?: string; lt: string; reverse: boolean } {
    const reverse = options.reverse ?? false;
    const first = data + options.prefix;
    const end = beyond(first);
    if (options.after === undefined) return { gte: first, lt: end, reverse };
    const after = data + options.after;
    return reverse ? { gte: first, lt: after, reverse } : { gt: after, lt: end, reverse };
  }

  async write(ops: readonly Op[], conditions: readonly Condition[] = []): Promise<Result<Revision>> {
    const checked = checkWrite(ops);
    if (!checked.ok) return checked;
    return new Promise((settle) => {
      this.#waiting.push({ ops, conditions, settle });
      if (!this.#busy) this.#writing = this.#writeAll();
    });
  }

  /** Writes that wait while the disk works go to it together: many callers at once cost one turn of it, not one each. */
  async #writeAll(): Promise<void> {
    this.#busy = true;
    while (this.#waiting.length > 0) {
      const group = this.#nextGroup();
      try {
        await this.#writeGroup(group);
      } catch (error) {
        // Reading failed while conditions were judged: nothing of the group was written.
        for (const { settle } of group) settle(refuse('store-unreadable', messageOf(error)));
      }
    }
    // In the same turn as the look that found nothing: a write that comes after it begins anew.
    this.#busy = false;
  }

  #nextGroup(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { ops } of this.#waiting) {
      bytes += ops.reduce((sum, op) => sum + (op.type === 'put' ? op.value.length : 0), 0);
      if (count > 0 && (bytes > limits.store_write_bytes_max || count >= limits.store_writes_together_max))
        break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  /** Each write of a group is judged on what those before it in the group leave behind, and has a revision of its own. */
  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    const revisions = new Map<string, Revision>();
    const done: { readonly revision: Revision; readonly waiting: Waiting }[] = [];
    const last = new Map<string, BatchOp>();
    let revision = this.#revision;
    for (const waiting of group) {
      const { ops, conditions, settle } = waiting;
      const failed = await this.#failing(conditions, revisions);
      if (failed) {
        settle(failed);
        continue;
      }
      revision += 1;
      for (const op of ops) {
        const key = data + op.key;
        revisions.set(op.key, op.type === 'put' ? revision : 0);
        last.set(
          key,
          op.type === 'put' ? { type: 'put', key, value: pack(revision, op.value) } : { type: 'del', key },
        );
      }
      done.push({ revision, waiting });
    }
    if (done.length === 0) return;
    try {
      await this.#database.batch<string, Uint8Array>(
        [...last.values(), { type: 'put', key: metaRevision, value: pack(revision, new Uint8Array()) }],
        { ...encoding, sync: true },
      );
    } catch (error) {
      for (const { waiting } of done) waiting.settle(refuse('store-write-failed', messageOf(error)));
      return;
    }
    this.#revision = revision;
    for (const { revision: mine, waiting } of done) {
      this.#watches.publish(mine, changesOf(waiting.ops, mine));
      waiting.settle(ok(mine));
    }
  }

  async #failing(
    conditions: readonly Condition[],
    inGroup: ReadonlyMap<string, Revision>,
  ): Promise<Result<never> | undefined> {
    for (const { key, revision } of conditions) {
      const found = inGroup.get(key) ?? (await this.get(key))?.revision ?? 0;
      if (found !== revision)
        return refuse('store-conflict', `${key} is at revision ${found}, expected ${revision}`);
    }
    return undefined;
  }

  watch(prefix: string, after: Revision, watcher: Watcher): Promise<Result<() => void>> {
    return Promise.resolve(this.#watches.add(prefix, after, watcher));
  }

  async close(): Promise<void> {
    await this.#writing;
    this.#watches.end();
    await this.#database.close();
  }
}
