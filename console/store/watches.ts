import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { Change, Op, Revision, Watcher } from './port.js';

interface Write {
  readonly revision: Revision;
  readonly changes: readonly Change[];
  readonly bytes: number;
}

const keyOf = (change: Change): string => (change.type === 'put' ? change.entry.key : change.key);

/** A value of its own: a small view of the buffers that many share would hold all of it for as long as the write is remembered. */
function own(change: Change): Change {
  if (change.type === 'delete') return change;
  const { entry } = change;
  return { type: 'put', entry: { ...entry, value: new Uint8Array(entry.value) } };
}

function bytesOf(changes: readonly Change[]): number {
  return changes.reduce(
    (sum, change) => sum + keyOf(change).length + (change.type === 'put' ? change.entry.value.length : 0),
    0,
  );
}

export function changesOf(ops: readonly Op[], revision: Revision): Change[] {
  return ops.map((op) =>
    op.type === 'put'
      ? { type: 'put', entry: { key: op.key, value: op.value, revision } }
      : { type: 'delete', key: op.key, revision },
  );
}

/**
 * The recent writes of a store that lives in this process, and who watches them.
 *
 * INVARIANT: `oldest` is the revision after which everything is still remembered.
 */
export class Watches {
  readonly #recent: Write[] = [];
  readonly #watchers = new Map<symbol, { prefix: string; watcher: Watcher }>();
  #oldest: Revision;
  #bytes = 0;

  constructor(revision: Revision) {
    this.#oldest = revision;
  }

  publish(revision: Revision, changes: readonly Change[]): void {
    const bytes = bytesOf(changes);
    this.#recent.push({ revision, changes: changes.map(own), bytes });
    this.#bytes += bytes;
    while (
      this.#recent.length > limits.store_watch_writes_max ||
      this.#bytes > limits.store_watch_bytes_max
    ) {
      const forgotten = this.#recent.shift();
      if (!forgotten) break;
      this.#oldest = forgotten.revision;
      this.#bytes -= forgotten.bytes;
    }
    for (const { prefix, watcher } of this.#watchers.values()) this.#deliver(prefix, watcher, changes);
  }

  add(prefix: string, after: Revision, watcher: Watcher): Result<() => void> {
    if (after < this.#oldest)
      return refuse('store-compacted', `changes are remembered from revision ${this.#oldest} on`);
    for (const write of this.#recent)
      if (write.revision > after) this.#deliver(prefix, watcher, write.changes);
    const id = Symbol('watch');
    this.#watchers.set(id, { prefix, watcher });
    return ok(() => void this.#watchers.delete(id));
  }

  end(): void {
    const all = [...this.#watchers.values()];
    this.#watchers.clear();
    for (const { watcher } of all) watcher.lost();
  }

  #deliver(prefix: string, watcher: Watcher, changes: readonly Change[]): void {
    const mine = changes.filter((change) => keyOf(change).startsWith(prefix));
    if (mine.length > 0) watcher.changes(mine);
  }
}
