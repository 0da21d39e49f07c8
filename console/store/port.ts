import type { Result } from '../../protocol/result.js';

/** A revision counts the writes of the whole store. It never goes back and is never given twice. */
export type Revision = number;

export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
  /** The write that last touched this key. */
  readonly revision: Revision;
}

export type Op =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'delete'; readonly key: string };

/** Holds if the key's last write is exactly this revision; 0 says that there must be no such key. */
export interface Condition {
  readonly key: string;
  readonly revision: Revision;
}

export interface RangeOptions {
  readonly prefix: string;
  /** Only keys strictly beyond this one, in the direction of reading. */
  readonly after?: string;
  readonly reverse?: boolean;
  /** At most `store_range_entries_max`, which also is what an absent limit means. */
  readonly limit?: number;
}

export interface Page {
  readonly entries: readonly Entry[];
  /** The state of the store that this page shows; a watch from here on misses nothing. */
  readonly revision: Revision;
  readonly more: boolean;
}

export type Change =
  | { readonly type: 'put'; readonly entry: Entry }
  | { readonly type: 'delete'; readonly key: string; readonly revision: Revision };

export interface Watcher {
  /** All changes of one write under the prefix, in one call, writes in their order. */
  changes(changes: readonly Change[]): void;
  /** The watch ended by itself: list again, and watch from there. */
  lost(): void;
}

/**
 * What a console keeps, as an ordered key-value store: of one process over LevelDB, or of several over a store service.
 *
 * INVARIANTS:
 * - A write is applied whole or not at all, also when the power is cut in the middle of it.
 * - Once `write` resolves, the write survives a power cut.
 * - A write whose conditions do not all hold changes nothing and answers `store-conflict`.
 * - Keys are ordered by the bytes of their UTF-8 form.
 * - A page shows one state of the store, never half of a write.
 * - A watcher sees every write after the revision it names, once, in order, or is told that it lost some.
 */
export interface KeyStore {
  get(key: string): Promise<Entry | undefined>;
  range(options: RangeOptions): Promise<Page>;
  write(ops: readonly Op[], conditions?: readonly Condition[]): Promise<Result<Revision>>;
  /** Refused with `store-compacted` when the store no longer remembers what followed that revision. */
  watch(prefix: string, after: Revision, watcher: Watcher): Promise<Result<() => void>>;
  close(): Promise<void>;
}
