import type { Secret } from '../../crypto/secret.js';
import type { Result } from '../../protocol/result.js';

/**
 * Where the two secrets live from which everything else on the disk is encrypted: the root, which is made once, and G, which is replaced
 * at every change of a key, a lease, a roster or the salt, so that an older copy of the disk opens nothing.
 *
 * INVARIANTS:
 * - `replaceG` is durable once it resolves, and after it the old G cannot be had again.
 * - A crash during `replaceG` leaves either the old G or the new one.
 */
export interface RootStore {
  /** How the secrets rest: what `status` says, and whether to warn. */
  readonly kind: 'tpm' | 'file';
  exists(): Promise<boolean>;
  /** Makes the root and the first G. */
  create(): Promise<Result<RootSecrets>>;
  load(): Promise<Result<RootSecrets>>;
  replaceG(next: Secret): Promise<Result<void>>;
  /** Gives back what it holds of the machine while it runs, if it holds anything. */
  close?(): Promise<void>;
}

export interface RootSecrets {
  readonly root: Secret;
  readonly g: Secret;
}
