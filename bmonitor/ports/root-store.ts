import type { Secret } from '../../crypto/secret.js';
import type { Signer } from '../../crypto/signer.js';
import type { Quote } from '../../protocol/quote.js';
import type { Result } from '../../protocol/result.js';

/**
 * Where the two secrets live from which everything else on the disk is encrypted: the root, which is made once, and G, which is replaced
 * at every change of a key, a lease, a roster or the salt, so that an older copy of the disk opens nothing. And N, the pair that signs
 * for the node: it is made with the root, and where there is a TPM its private half never is anywhere else.
 *
 * INVARIANTS:
 * - `replaceG` is durable once it resolves, and after it the old G cannot be had again.
 * - A crash during `replaceG` leaves either the old G or the new one.
 * - A node that is made again has another root, another G and another N.
 */
export interface RootStore {
  /** How the secrets rest: what `status` says, and whether to warn. */
  readonly kind: 'tpm' | 'file';
  exists(): Promise<boolean>;
  /** Makes the root, the first G, and N with as many bits, or with fewer where a TPM has no more. */
  create(identityBits: number): Promise<Result<Rooted>>;
  load(): Promise<Result<Rooted>>;
  replaceG(next: Secret): Promise<Result<void>>;
  /**
   * From now on the secrets are given to a machine that measures as this one does, and, besides, to one that measures `next`, and to
   * nobody else. Durable once it resolves; can be said again at any time. A file gives its secrets to whoever reads it.
   */
  allow(next: string | undefined): Promise<Result<void>>;
  /** Gives back what it holds of the machine while it runs, if it holds anything. */
  close?(): Promise<void>;
}

export interface RootSecrets {
  readonly root: Secret;
  readonly g: Secret;
}

export interface Rooted extends RootSecrets {
  readonly identity: Signer;
  /** Absent: nothing is measured here. */
  readonly measured?: Measured;
  /** The chip's own word on what the machine measured, together with a digest of what it is said for. */
  readonly quote?: QuoteMaker;
}

export type QuoteMaker = (about: Uint8Array) => Promise<Result<Quote>>;

/** What the machine measured when it started, by one digest over all the registers. */
export interface Measured {
  readonly digest: string;
  /** It is not as it was, but as the levels approved. */
  readonly asApproved: boolean;
}
