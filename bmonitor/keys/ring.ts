import { randomBytes } from 'node:crypto';
import { exportPrivate, importPrivate, type Pair } from '../../crypto/rsa.js';
import { Secret } from '../../crypto/secret.js';

/**
 * The keys of a node, by name. What each is for stands in the node's state; what is in neither the state nor the pool is removed.
 *
 * - `identity`: N, which signs for the node;
 * - `tls`: the pair of the node's TLS certificate; nothing rests on it but that strangers see less;
 * - `pairs`: the private halves R of the levels, and those made ahead;
 * - `symmetric`: the K of the levels;
 * - `salt`: goes into the disk key, known to nobody but the node;
 * - `data`: one key a lease, under which what the level stores rests.
 *
 * A ring is changed only by making the next one, which the journal writes in the same step as the state that names its keys.
 */
export interface KeyRing {
  readonly identity: Pair;
  readonly tls: Pair;
  readonly pairs: ReadonlyMap<string, Pair>;
  /** Names of pairs made ahead, the next one first. */
  readonly pool: readonly string[];
  readonly symmetric: ReadonlyMap<string, Secret>;
  readonly salt: Secret;
  readonly data: ReadonlyMap<string, Secret>;
}

/** What a decision does to the ring. The names are chosen before, so that `decide` stays pure. */
export type KeyChange =
  | { readonly kind: 'use-pair'; readonly id: string }
  | { readonly kind: 'destroy-pair'; readonly id: string }
  | { readonly kind: 'make-symmetric'; readonly id: string }
  | { readonly kind: 'destroy-symmetric'; readonly id: string }
  | { readonly kind: 'make-data'; readonly lease: string }
  | { readonly kind: 'destroy-data'; readonly lease: string }
  | { readonly kind: 'new-salt' };

export function newKey(): Secret {
  return Secret.take(randomBytes(32));
}

export function changeRing(ring: KeyRing, changes: readonly KeyChange[]): KeyRing {
  const pairs = new Map(ring.pairs);
  const symmetric = new Map(ring.symmetric);
  const data = new Map(ring.data);
  let { pool, salt } = ring;
  for (const change of changes)
    switch (change.kind) {
      case 'use-pair':
        pool = pool.filter((id) => id !== change.id);
        break;
      case 'destroy-pair':
        pairs.delete(change.id);
        break;
      case 'make-symmetric':
        symmetric.set(change.id, newKey());
        break;
      case 'destroy-symmetric':
        symmetric.delete(change.id);
        break;
      case 'make-data':
        data.set(change.lease, newKey());
        break;
      case 'destroy-data':
        data.delete(change.lease);
        break;
      case 'new-salt':
        salt = newKey();
        break;
    }
  return { ...ring, pairs, pool, symmetric, salt, data };
}

export function withSparePair(ring: KeyRing, pair: Pair): KeyRing {
  return {
    ...ring,
    pairs: new Map(ring.pairs).set(pair.public.id, pair),
    pool: [...ring.pool, pair.public.id],
  };
}

/** Entries of (name, bytes), each with its length before it. The result is secret. */
export function packRing(ring: KeyRing): Secret {
  const parts: Uint8Array[] = [];
  const add = (name: string, secret: Secret): void => {
    const head = Buffer.alloc(2 + Buffer.byteLength(name) + 4);
    head.writeUInt16BE(Buffer.byteLength(name), 0);
    head.write(name, 2);
    head.writeUInt32BE(secret.length, head.length - 4);
    parts.push(
      head,
      secret.use((bytes) => Buffer.from(bytes)),
    );
  };
  add('identity', exportPrivate(ring.identity));
  add('tls', exportPrivate(ring.tls));
  for (const [id, pair] of ring.pairs)
    add(`${ring.pool.includes(id) ? 'spare' : 'pair'}/${id}`, exportPrivate(pair));
  for (const [id, key] of ring.symmetric) add(`symmetric/${id}`, key);
  for (const [lease, key] of ring.data) add(`data/${lease}`, key);
  add('salt', ring.salt);
  const packed = Buffer.concat(parts);
  for (const part of parts) part.fill(0);
  return Secret.take(packed);
}

/** Undefined when the bytes are not a packed ring: they were authenticated before, so that would be a fault of ours. */
export function unpackRing(packed: Secret): KeyRing | undefined {
  const pairs = new Map<string, Pair>();
  const pool: string[] = [];
  const symmetric = new Map<string, Secret>();
  const data = new Map<string, Secret>();
  let identity: Pair | undefined;
  let tls: Pair | undefined;
  let salt: Secret | undefined;
  for (const [name, key] of entriesOf(packed)) {
    const [kind = '', id = ''] = name.split('/');
    if (kind === 'identity') identity = importPrivate(key);
    else if (kind === 'tls') tls = importPrivate(key);
    else if (kind === 'salt') salt = key;
    else if (kind === 'symmetric') symmetric.set(id, key);
    else if (kind === 'data') data.set(id, key);
    else if (kind === 'pair' || kind === 'spare') {
      pairs.set(id, importPrivate(key));
      if (kind === 'spare') pool.push(id);
    } else return undefined;
  }
  return identity && tls && salt ? { identity, tls, pairs, pool, symmetric, salt, data } : undefined;
}

function entriesOf(packed: Secret): readonly (readonly [string, Secret])[] {
  return packed.use((bytes) => {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const entries: (readonly [string, Secret])[] = [];
    for (let at = 0; at < buffer.length;) {
      const nameBytes = buffer.readUInt16BE(at);
      const name = buffer.toString('utf8', at + 2, at + 2 + nameBytes);
      const start = at + 2 + nameBytes + 4;
      const length = buffer.readUInt32BE(start - 4);
      entries.push([name, Secret.take(Uint8Array.from(buffer.subarray(start, start + length)))]);
      at = start + length;
    }
    return entries;
  });
}
