import { randomBytes } from 'node:crypto';
import type { Pair } from '../../crypto/rsa.js';
import { Secret } from '../../crypto/secret.js';
import { openShared, sealShared } from './shares.js';
import { wrapAll, type Chain, type Wrapped } from './wrap.js';

/**
 * The keys of a node, by name, but for N, which is where the root is (ports/root-store.ts). What each is for stands in the node's state; what is in neither the state nor the pool is removed.
 *
 * - `tls`: the pair of the node's TLS certificate; nothing rests on it but that strangers see less;
 * - `pairs`: the private halves R of the levels, and those made ahead;
 * - `symmetric`: the K of the levels, as far as they are open;
 * - `locked`: the K whose level chose a share, sealed by that share, which the node does not keep;
 * - `parked`: the K of leases that are dark, sealed away until an extension brings them back;
 * - `salt`: goes into the disk keys, known to nobody but the node;
 * - `data`: one key a lease, under which what the level stores rests; here while it is open;
 * - `wrapped`: the same, as they rest: each under the disk key of its level, made from every K from the landlord's down to its own;
 * - `outer`: one key a lease for what the node needs with every K locked: filters, receipts and events.
 *
 * The life of a K, and of the data keys below it:
 *
 *            make-symmetric                set-share                    start of the node
 *   (none) ────────────────► open ◄──────────────────────► open, shared ────────────────► locked
 *                             │           clear-share            │  ▲                      │  │
 *                             │                                  │  └───────── unlock ─────┘  │
 *                             └──────── destroy-symmetric ───────┴────────────────────────────┴──► (none)
 *
 * When the lease goes dark, an open K is parked, or locked where its level chose a share; an extension opens what is parked.
 * A data key is open exactly while every K from the landlord's down to its own level's is open and none of these levels is dark. `destroy-data` works in every state: what
 * cannot be opened can still be destroyed.
 *
 * A ring is changed only by making the next one, which the journal writes in the same step as the state that names its keys.
 */
export interface KeyRing {
  readonly tls: Pair;
  readonly pairs: ReadonlyMap<string, Pair>;
  /** Names of pairs made ahead, the next one first. */
  readonly pool: readonly string[];
  readonly symmetric: ReadonlyMap<string, Secret>;
  readonly locked: ReadonlyMap<string, Uint8Array>;
  readonly parked: ReadonlyMap<string, Uint8Array>;
  readonly salt: Secret;
  readonly data: ReadonlyMap<string, Secret>;
  readonly wrapped: ReadonlyMap<string, Wrapped>;
  readonly outer: ReadonlyMap<string, Secret>;
}

/** What a decision does to the ring. The names are chosen before, so that `decide` stays pure. */
export type KeyChange =
  | { readonly kind: 'use-pair'; readonly id: string }
  | { readonly kind: 'destroy-pair'; readonly id: string }
  | { readonly kind: 'make-symmetric'; readonly id: string }
  | { readonly kind: 'destroy-symmetric'; readonly id: string }
  | { readonly kind: 'make-data'; readonly lease: string }
  /** Another data key in the place of the old one, which is destroyed. */
  | {
      readonly kind: 'renew-data';
      readonly lease: string;
      /** Under which the data was encrypted anew before; absent: a new one, and the data is gone. */
      readonly key?: Secret;
    }
  | { readonly kind: 'destroy-data'; readonly lease: string }
  | { readonly kind: 'set-share'; readonly id: string; readonly share: Secret }
  | { readonly kind: 'clear-share'; readonly id: string }
  | { readonly kind: 'unlock'; readonly id: string; readonly share: Secret }
  | { readonly kind: 'new-salt' };

export function newKey(): Secret {
  return Secret.take(randomBytes(32));
}

/** `chain` is the levels after the change, landlord first. */
export function changeRing(ring: KeyRing, changes: readonly KeyChange[], chain: Chain): KeyRing {
  const next = {
    ...ring,
    pairs: new Map(ring.pairs),
    symmetric: new Map(ring.symmetric),
    locked: new Map(ring.locked),
    parked: new Map(ring.parked),
    data: new Map(ring.data),
    wrapped: new Map(ring.wrapped),
    outer: new Map(ring.outer),
  };
  for (const change of changes) apply(next, change);
  return wrapAll(next, chain);
}

interface Changing {
  pairs: Map<string, Pair>;
  pool: readonly string[];
  symmetric: Map<string, Secret>;
  locked: Map<string, Uint8Array>;
  parked: Map<string, Uint8Array>;
  salt: Secret;
  data: Map<string, Secret>;
  wrapped: Map<string, Wrapped>;
  outer: Map<string, Secret>;
}

function apply(ring: Changing, change: KeyChange): void {
  switch (change.kind) {
    case 'use-pair':
      ring.pool = ring.pool.filter((id) => id !== change.id);
      return;
    case 'destroy-pair':
      ring.pairs.delete(change.id);
      return;
    case 'make-symmetric':
      ring.symmetric.set(change.id, newKey());
      return;
    case 'destroy-symmetric':
      ring.symmetric.delete(change.id);
      ring.locked.delete(change.id);
      ring.parked.delete(change.id);
      return;
    case 'make-data':
      ring.data.set(change.lease, newKey());
      ring.outer.set(change.lease, newKey());
      return;
    case 'renew-data':
      ring.data.set(change.lease, change.key ?? newKey());
      ring.wrapped.delete(change.lease);
      return;
    case 'destroy-data':
      for (const keys of [ring.data, ring.wrapped, ring.outer]) keys.delete(change.lease);
      return;
    case 'set-share': {
      const key = ring.symmetric.get(change.id);
      if (!key) throw new Error('a share is set for a key that is open');
      ring.locked.set(change.id, sealShared(change.share, change.id, key));
      return;
    }
    case 'clear-share':
      if (!ring.symmetric.has(change.id)) throw new Error('a share is cleared for a key that is open');
      ring.locked.delete(change.id);
      return;
    case 'unlock': {
      const key = openShared(change.share, change.id, ring.locked.get(change.id));
      if (!key) throw new Error('the share was tried before');
      ring.symmetric.set(change.id, key);
      return;
    }
    case 'new-salt':
      ring.salt = newKey();
      return;
  }
}

export function withSparePair(ring: KeyRing, pair: Pair): KeyRing {
  return {
    ...ring,
    pairs: new Map(ring.pairs).set(pair.public.id, pair),
    pool: [...ring.pool, pair.public.id],
  };
}

/**
 * The ring that takes the place of another: what was in that one and is not in this is zeroed in memory at once. It is called when the
 * change holds, and nobody keeps a key of the ring across a wait. Private halves are OpenSSL's, which clears them when it lets go of them.
 */
export function instead(of: KeyRing, ring: KeyRing): KeyRing {
  if (of === ring) return ring;
  const kept = new Set(secretsOf(ring));
  for (const secret of secretsOf(of)) if (!kept.has(secret)) secret.wipe();
  return ring;
}

function secretsOf({ symmetric, data, outer, salt }: KeyRing): readonly Secret[] {
  return [...symmetric.values(), ...data.values(), ...outer.values(), salt];
}

/** The first ring of a node: no symmetric key, and one lease, the landlord's. */
export function firstRing(made: Pick<KeyRing, 'tls' | 'pairs' | 'pool'>, lease: string): KeyRing {
  const empty: KeyRing = {
    ...made,
    symmetric: new Map(),
    locked: new Map(),
    parked: new Map(),
    salt: newKey(),
    data: new Map(),
    wrapped: new Map(),
    outer: new Map(),
  };
  return changeRing(empty, [{ kind: 'make-data', lease }], [{ lease }]);
}
