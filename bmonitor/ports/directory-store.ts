import type { Secret } from '../../crypto/secret.js';
import type { Result } from '../../protocol/result.js';

/** Each data key of a lease has a directory of its own, as it has a place of its own in the journal. */
export interface DirectoryName {
  readonly lease: string;
  readonly epoch: number;
}

export interface KeptDirectory extends DirectoryName {
  /** The key is in the kernel, and the files can be read. */
  readonly open: boolean;
}

export interface CopyWatch {
  /** Breaks it off. */
  readonly signal: AbortSignal;
  readonly progress: (done_bytes: number, total_bytes: number) => void;
}

/**
 * Where what a level stores in files rests: images, writable layers, logs. A directory is encrypted by the kernel under a key that
 * nobody but the node's memory and, while it is open, the kernel has.
 *
 * INVARIANTS:
 * - One call at a time; what was interrupted at any point can be called again.
 * - What `open` acknowledged is there after a power cut, and nothing of it can be read before it is opened again with the same key.
 * - After `lock` and `destroy` the key is not in the kernel any more. Both refuse with `directory-busy` while somebody has a file open: what
 *   is open can still be read by who has it, nothing else can.
 */
export interface DirectoryStore {
  /** How it is encrypted: what `status` says. */
  readonly kind: string;
  list(): Promise<Result<readonly KeptDirectory[]>>;
  /** Opens it, and makes it first where there is none. Answers where it is. */
  open(name: DirectoryName, key: Secret): Promise<Result<string>>;
  /** Is the directory, of which `open` said that it is here, still mounted? */
  isThere(directory: string): Promise<boolean>;
  lock(name: DirectoryName): Promise<Result<void>>;
  destroy(name: DirectoryName): Promise<Result<void>>;
  /** Everything in the one to the other, which is empty; both are open. Resolves when it would survive a power cut, or was broken off. */
  copy(from: DirectoryName, to: DirectoryName, watch?: CopyWatch): Promise<Result<void>>;
}
