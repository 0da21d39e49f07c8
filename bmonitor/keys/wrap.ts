import { openBox, sealBox } from '../../crypto/box.js';
import { deriveDiskKey, type KeyShare } from '../../crypto/derive.js';
import { Secret } from '../../crypto/secret.js';
import { park } from './park.js';
import type { KeyRing } from './ring.js';

/** The levels as the keys see them, landlord first. */
export type Chain = readonly {
  readonly lease: string;
  readonly symmetric?: string;
  readonly status?: 'granted' | 'active' | 'dark';
}[];

/** A data key as it rests: under the disk key of its level, with the salt that went into it. */
export interface Wrapped {
  readonly salt: Secret;
  readonly box: Uint8Array;
}

/**
 * What goes into the disk key of a level: every K there is from the landlord's down to its own. So the disk key of the last level is made from
 * all of them, and no level below can lock a level above out of its own data. Undefined while one of them is locked, or a lease is dark.
 */
export function sharesFor(
  ring: Pick<KeyRing, 'symmetric'>,
  chain: Chain,
  at: number,
): readonly KeyShare[] | undefined {
  if (chain.slice(0, at + 1).some(({ status }) => status === 'dark')) return undefined;
  const shares: KeyShare[] = [];
  for (const [level, { lease, symmetric }] of chain.slice(0, at + 1).entries()) {
    if (symmetric === undefined) continue;
    const key = ring.symmetric.get(symmetric);
    if (!key) return undefined;
    shares.push({ level, leaseId: lease, keyId: symmetric, key });
  }
  return shares;
}

export function openWrapped(
  wrapped: Wrapped,
  lease: string,
  shares: readonly KeyShare[],
): Secret | undefined {
  const disk = deriveDiskKey(wrapped.salt, shares);
  const opened = openBox(disk, contextOf(lease), wrapped.box);
  disk.wipe();
  return opened && Secret.take(opened);
}

/** Wraps every open data key anew. One that is locked, or whose lease is dark, rests as it did. */
export function wrapAll(before: KeyRing, chain: Chain): KeyRing {
  const ring = { ...before, ...park(before, chain) };
  const wrapped = new Map(ring.wrapped);
  const data = new Map(ring.data);
  for (const [at, { lease }] of chain.entries()) {
    const shares = sharesFor(ring, chain, at);
    if (!shares) {
      data.delete(lease);
      continue;
    }
    const rests = wrapped.get(lease);
    const key = data.get(lease) ?? (rests && openWrapped(rests, lease, shares));
    if (!key) continue;
    data.set(lease, key);
    const disk = deriveDiskKey(ring.salt, shares);
    wrapped.set(lease, {
      salt: ring.salt,
      box: key.use((bytes) => sealBox(disk, contextOf(lease), bytes)),
    });
    disk.wipe();
  }
  return { ...ring, data, wrapped };
}

/** Leases whose data cannot be opened just now, because a share is outstanding. */
export function lockedLeases(ring: KeyRing, chain: Chain): ReadonlySet<string> {
  return new Set(chain.map(({ lease }) => lease).filter((lease) => !ring.data.has(lease)));
}

function contextOf(lease: string): string {
  return `data/${lease}`;
}
