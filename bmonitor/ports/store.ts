export type StoreOp =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: string };

/**
 * INVARIANTS:
 * - A batch is applied whole or not at all, also when the power is cut in the middle of it.
 * - Once `batch` resolves, the batch survives a power cut: it was synced.
 * - Batches are applied in the order in which `batch` was called.
 */
export interface Store {
  get(key: string): Promise<Uint8Array | undefined>;
  batch(ops: readonly StoreOp[]): Promise<void>;
  /** Keys that start with `prefix`, in the order of their bytes or the other way round; `after` is where, in that direction, an earlier reading stopped. */
  entries(
    prefix: string,
    options?: { readonly after?: string; readonly reverse?: boolean; readonly limit?: number },
  ): AsyncIterable<readonly [key: string, value: Uint8Array]>;
  close(): Promise<void>;
}
