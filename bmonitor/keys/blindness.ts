import type { KeyRing } from './ring.js';
import { openWrapped, sharesFor, type Chain } from './wrap.js';

export interface Trial {
  /** The ids of the K that were tried together. */
  readonly with: readonly string[];
  readonly opens: boolean;
}

export type Blindness =
  | { readonly result: 'no-key' }
  | { readonly result: 'locked' }
  | { readonly result: 'tried'; readonly keys: readonly string[]; readonly trials: readonly Trial[] };

/**
 * Tries to unlock the data of the last level with every choice of the K there are. That no proper subset opens it and all together do is what
 * the node then signs. Without a K of the last level itself there is nothing to prove: whoever has the others has the data.
 */
export function tryBlindness(ring: KeyRing, chain: Chain): Blindness {
  const at = chain.length - 1;
  const last = chain[at];
  const wrapped = last && ring.wrapped.get(last.lease);
  if (at === 0 || last?.symmetric === undefined) return { result: 'no-key' };
  const shares = sharesFor(ring, chain, at);
  if (!shares || !wrapped) return { result: 'locked' };
  const trials: Trial[] = [];
  for (let choice = 0; choice < 2 ** shares.length; choice += 1) {
    const chosen = shares.filter((_, index) => (choice >> index) & 1);
    const opened = openWrapped(wrapped, last.lease, chosen);
    trials.push({ with: chosen.map((share) => share.keyId), opens: opened !== undefined });
    opened?.wipe();
  }
  return { result: 'tried', keys: shares.map((share) => share.keyId), trials };
}
