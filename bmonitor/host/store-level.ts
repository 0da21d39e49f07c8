import { Level } from 'level';
import { messageOf } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { Store, StoreOp } from '../ports/store.js';

/** The node's store on LevelDB. Every batch is synced: what is acknowledged survives a power cut. */
export async function openLevelStore(folder: string): Promise<Result<Store>> {
  const level = new Level<string, Uint8Array>(folder, { keyEncoding: 'utf8', valueEncoding: 'view' });
  try {
    await level.open();
  } catch (error) {
    return refuse('store-damaged', `${folder}: ${messageOf(error)}`);
  }
  return ok({
    get: (key) => level.get(key),
    async batch(ops: readonly StoreOp[]) {
      // LevelDB's own `sync`, which the type of `level` leaves to the implementation underneath.
      if (ops.length > 0) await level.batch([...ops], { sync: true } as object);
    },
    async *entries(prefix, options = {}) {
      const after = options.after ?? prefix;
      const range = {
        gte: prefix,
        lt: `${prefix}\uffff`,
        ...(options.after === undefined ? {} : { gt: after }),
      };
      yield* level.iterator({
        ...range,
        reverse: options.reverse ?? false,
        ...(options.limit === undefined ? {} : { limit: options.limit }),
      });
    },
    close: () => level.close(),
  });
}
