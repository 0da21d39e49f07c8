import { closeSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { Level } from 'level';
import { limits } from '../../protocol/limits.js';
import { messageOf } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { Condition, Entry, KeyStore, Op, Page, RangeOptions, Revision, Watcher } from './port.js';
import { checkWrite } from './check.js';
import { pack, Sum, unpack } from './packing.js';
import { changesOf, Watches } from './watches.js';

type Database = Level<string, Uint8Array>;

const metaRevision = 'm/revision';
const data = 'k/';
const encoding = { keyEncoding: 'utf8', valueEncoding: 'view' } as const;

interface Waiting {
  readonly ops: readonly Op[];
  readonly conditions: readonly Condition[];
  readonly settle: (result: Result<Revision>) => void;
}

type BatchOp =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: string };

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
  const read = await readThrough(database, closedMark(path));
  if (read.ok) return ok(new LevelStore(database, path, read.value));
  await database.close();
  return refuse(read.refusal.code, `${path}: ${read.refusal.detail ?? ''}`);
}

interface Standing {
  readonly revision: Revision;
  readonly sum: Sum;
}

/** Written when a store is closed, and taken away when it is opened: where it stood. */
function closedMark(path: string): string {
  return `${path}.closed`;
}

/**
 * Reads everything once. A store that lost something must not be started with: what is missing could be the end of a lease or an account that was closed.
 */
async function readThrough(database: Database, mark: string): Promise<Result<Standing>> {
  const meta: Uint8Array | undefined = await database.get(metaRevision);
  const sum = new Sum();
  let records = 0;
  try {
    for await (const [key, bytes] of database.iterator<string, Uint8Array>({
      gte: data,
      lt: beyond(data),
      ...encoding,
    })) {
      const entry = unpack(key.slice(data.length), bytes);
      if (!entry.ok) return entry;
      sum.add(entry.value.key, entry.value.revision);
      records += 1;
    }
  } catch (error) {
    return refuse('store-unreadable', messageOf(error));
  }
  const closedAt = readMark(mark);
  if (meta === undefined)
    return records === 0 && (closedAt ?? 0) === 0
      ? ok({ revision: 0, sum })
      : refuse('store-unreadable', 'it no longer says how far it was written');
  const standing = unpack(metaRevision, meta);
  if (!standing.ok) return standing;
  const { revision, value } = standing.value;
  if (value.length !== 8 || Buffer.from(value).readBigUInt64BE(0) !== sum.value)
    return refuse('store-unreadable', `records are missing, or older than revision ${revision} says`);
  if (closedAt !== undefined && closedAt !== revision)
    return refuse('store-unreadable', `it was closed at revision ${closedAt} and stands at ${revision} now`);
  rmSync(mark, { force: true });
  return ok({ revision, sum });
}

function readMark(mark: string): Revision | undefined {
  try {
    return Number(readFileSync(mark, 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * INVARIANTS:
 * - One group of writes at a time goes to the disk, whole or not at all, and conditions are judged on the state that the write will change.
 * - The revision and the sum on disk move in the same synced batch as the data.
 * - After a write that failed, the database is opened anew before the next: a piece of that write may lie in its log, and what were written behind it could not
 *   be read again. Who watches is told to look again then, because it is not known whether the failed write will show.
 */
class LevelStore implements KeyStore {
  #database: Database;
  readonly #path: string;
  #watches: Watches;
  #revision: Revision;
  #sum: Sum;
  /** A write failed, and the database was not opened anew since. */
  #failed = false;
  #opening: Promise<unknown> = Promise.resolve();
  readonly #waiting: Waiting[] = [];
  #busy = false;
  #writing: Promise<void> | undefined;

  constructor(database: Database, path: string, { revision, sum }: Standing) {
    this.#database = database;
    this.#path = path;
    this.#revision = revision;
    this.#sum = sum;
    this.#watches = new Watches(revision);
  }

  async get(key: string): Promise<Entry | undefined> {
    await this.#opening;
    const bytes = await this.#read(data + key);
    return bytes === undefined ? undefined : entryOf(key, bytes);
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
    await this.#opening;
    const snapshot = this.#database.snapshot();
    try {
      const meta = await this.#read(metaRevision, { snapshot });
      const entries: Entry[] = [];
      const found = this.#database.iterator<string, Uint8Array>({ ...bounds, limit: limit + 1, snapshot });
      for await (const [key, bytes] of found) entries.push(entryOf(key.slice(data.length), bytes));
      return {
        entries: entries.slice(0, limit),
        revision: meta === undefined ? 0 : entryOf(metaRevision, meta).revision,
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
    if (this.#failed && !(await this.#openAnew())) {
      for (const { settle } of group)
        settle(refuse('store-write-failed', 'it could not be opened anew after a write that failed'));
      return;
    }
    const revisions = await this.#revisionsBefore(group);
    const sum = new Sum(this.#sum.value);
    const done: { readonly revision: Revision; readonly waiting: Waiting }[] = [];
    const last = new Map<string, BatchOp>();
    let revision = this.#revision;
    for (const waiting of group) {
      const { ops, conditions, settle } = waiting;
      const failed = failing(conditions, revisions);
      if (failed) {
        settle(failed);
        continue;
      }
      revision += 1;
      for (const op of ops) {
        const key = data + op.key;
        const before = revisions.get(op.key) ?? 0;
        if (before > 0) sum.remove(op.key, before);
        if (op.type === 'put') sum.add(op.key, revision);
        revisions.set(op.key, op.type === 'put' ? revision : 0);
        if (op.type === 'put') last.set(key, { type: 'put', key, value: pack(op.key, revision, op.value) });
        else last.set(key, { type: 'del', key });
      }
      done.push({ revision, waiting });
    }
    if (done.length === 0) return;
    try {
      await this.#database.batch<string, Uint8Array>(
        [
          ...last.values(),
          { type: 'put', key: metaRevision, value: pack(metaRevision, revision, bytesOf(sum)) },
        ],
        { ...encoding, sync: true },
      );
    } catch (error) {
      this.#failed = true;
      for (const { waiting } of done) waiting.settle(refuse('store-write-failed', messageOf(error)));
      return;
    }
    this.#revision = revision;
    this.#sum = sum;
    for (const { revision: mine, waiting } of done) {
      this.#watches.publish(mine, changesOf(waiting.ops, mine));
      waiting.settle(ok(mine));
    }
  }

  /** False: it does not open. Its files are as they were, and the next write tries again. */
  async #openAnew(): Promise<boolean> {
    // Until there is room, what is open goes on being read.
    if (!hasRoom(`${this.#path}.room`)) return false;
    const opening = (async () => {
      await this.#database.close();
      this.#database = new Level<string, Uint8Array>(this.#path, encoding);
      await this.#database.open();
      const read = await readThrough(this.#database, closedMark(this.#path));
      if (!read.ok) return false;
      ({ revision: this.#revision, sum: this.#sum } = read.value);
      return true;
    })().catch(() => false);
    this.#opening = opening;
    const opened = await opening;
    if (!opened) return false;
    this.#failed = false;
    this.#watches.end();
    this.#watches = new Watches(this.#revision);
    return true;
  }

  /** Of all keys that a group writes or looks at, read at once: one after the other, a thousand of them take longer than the disk. */
  async #revisionsBefore(group: readonly Waiting[]): Promise<Map<string, Revision>> {
    await this.#opening;
    const keys = new Set(
      group.flatMap(({ ops, conditions }) => [...ops, ...conditions].map(({ key }) => key)),
    );
    const all = [...keys];
    const found: readonly (Uint8Array | undefined)[] = await this.#database.getMany(
      all.map((key) => data + key),
      encoding,
    );
    return new Map(
      all.map((key, at) => {
        const bytes = found[at];
        return [key, bytes === undefined ? 0 : entryOf(key, bytes).revision];
      }),
    );
  }

  watch(prefix: string, after: Revision, watcher: Watcher): Promise<Result<() => void>> {
    return Promise.resolve(this.#watches.add(prefix, after, watcher));
  }

  async close(): Promise<void> {
    await this.#writing;
    this.#watches.end();
    await this.#database.close();
    // Only what is known to stand there is vouched for.
    if (!this.#failed) writeMark(closedMark(this.#path), this.#revision);
  }
}

function failing(
  conditions: readonly Condition[],
  revisions: ReadonlyMap<string, Revision>,
): Result<never> | undefined {
  for (const { key, revision } of conditions) {
    const found = revisions.get(key) ?? 0;
    if (found !== revision)
      return refuse('store-conflict', `${key} is at revision ${found}, expected ${revision}`);
  }
  return undefined;
}

/** What was read through when the store was opened and is not as it was written now: the disk changed it meanwhile. */
function entryOf(key: string, bytes: Uint8Array): Entry {
  const entry = unpack(key, bytes);
  if (entry.ok) return entry.value;
  throw new Error(entry.refusal.detail);
}

function bytesOf(sum: Sum): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(sum.value);
  return bytes;
}

/** Opening a database writes some files, and one that runs out of room meanwhile is in no good state. */
function hasRoom(file: string): boolean {
  try {
    const probe = openSync(file, 'w', 0o600);
    try {
      writeSync(probe, Buffer.alloc(limits.store_room_bytes_min));
      fsyncSync(probe);
    } finally {
      closeSync(probe);
    }
    return true;
  } catch {
    return false;
  } finally {
    rmSync(file, { force: true });
  }
}

/** Without it, the store is looked at as after a power cut. */
function writeMark(mark: string, revision: Revision): void {
  try {
    const file = openSync(mark, 'w', 0o600);
    writeSync(file, String(revision));
    fsyncSync(file);
    closeSync(file);
  } catch {
    rmSync(mark, { force: true });
  }
}
