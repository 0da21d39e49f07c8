import { Level } from 'level';
import { limits } from '../../protocol/limits.js';
import { messageOf } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { Store, StoreOp } from '../ports/store.js';

const entriesAtOnce = 256;

/** Where the state is, which is written most: nothing else is moved but what lies among it. */
const rootPlace = 'root/';

export interface LevelStore extends Store {
  /** For a node that has nothing else to do. */
  settle(): Promise<void>;
}

/** LevelDB's own, which the type of `level` leaves to the implementation underneath. */
interface Compacting {
  compactRange(from: string, to: string): Promise<void>;
}

/**
 * The node's store on LevelDB. Every batch is synced: what is acknowledged survives a power cut.
 *
 * LevelDB holds what was written in memory too, up to four megabytes of it, before it goes from its log to where it stays. A node that only
 * writes down what time it is would grow by that for hours, so `settle` sends it there.
 */
export async function openLevelStore(folder: string): Promise<Result<LevelStore>> {
  const level = new Level<string, Uint8Array>(folder, { keyEncoding: 'utf8', valueEncoding: 'view' });
  try {
    await level.open();
  } catch (error) {
    return refuse('store-damaged', `${folder}: ${messageOf(error)}`);
  }
  let held_bytes = 0;
  return ok({
    get: (key) => level.get(key),
    async settle() {
      if (held_bytes < limits.store_held_bytes_max) return;
      held_bytes = 0;
      await (level as unknown as Compacting).compactRange(rootPlace, `${rootPlace}~`);
    },
    async batch(ops: readonly StoreOp[]) {
      for (const op of ops) held_bytes += op.key.length + (op.type === 'put' ? op.value.length : 0);
      // LevelDB's own `sync`, which the type of `level` leaves to the implementation underneath.
      if (ops.length > 0) await level.batch([...ops], { sync: true } as object);
    },
    async *entries(prefix, { after, reverse = false, limit } = {}) {
      const found = level.iterator({
        ...rangeOf(prefix, after, reverse),
        reverse,
        ...(limit === undefined ? {} : { limit }),
      });
      try {
        for (;;) {
          // One by one, each costs a turn of the event loop; LevelDB itself bounds how many bytes come at once.
          const some = await found.nextv(entriesAtOnce);
          if (some.length === 0) return;
          yield* some;
        }
      } finally {
        await found.close();
      }
    },
    close: () => level.close(),
  });
}

/** LevelDB prefers `gte` to `gt` where both are given: so each bound is given once. */
function rangeOf(
  prefix: string,
  after: string | undefined,
  reverse: boolean,
): Readonly<Record<string, string>> {
  const end = behind(prefix);
  const low = after !== undefined && !reverse && after > prefix ? { gt: after } : { gte: prefix };
  const stopped = after !== undefined && reverse && (end === undefined || after < end) ? after : end;
  const high = stopped === undefined ? {} : { lt: stopped };
  return { ...low, ...high };
}

/** The first key behind all that start with the prefix: the next one of its length. Undefined when there is none. */
function behind(prefix: string): string | undefined {
  const points = Array.from(prefix, (char) => char.codePointAt(0) ?? 0);
  while (points.at(-1) === lastCodePoint) points.pop();
  const last = points.pop();
  if (last === undefined) return undefined;
  // Between D800 and DFFF there are no characters, only halves of some.
  points.push(last + 1 === 0xd800 ? 0xe000 : last + 1);
  return String.fromCodePoint(...points);
}

const lastCodePoint = 0x10ffff;
