import { exportPrivate, importPrivate, type Pair } from '../../crypto/rsa.js';
import { Secret } from '../../crypto/secret.js';
import type { KeyRing } from './ring.js';
import { wrapAll, type Chain, type Wrapped } from './wrap.js';

const saltBytes = 32;

/**
 * The ring as it rests: entries of (name, bytes), each with its length before it. No data key is in it but wrapped, and no K whose level chose
 * a share but sealed by that share. The result is secret.
 */
export function packRing(ring: KeyRing): Secret {
  const parts: Uint8Array[] = [];
  const addBytes = (name: string, bytes: Uint8Array): void => {
    const head = Buffer.alloc(2 + Buffer.byteLength(name) + 4);
    head.writeUInt16BE(Buffer.byteLength(name), 0);
    head.write(name, 2);
    head.writeUInt32BE(bytes.length, head.length - 4);
    parts.push(head, Buffer.from(bytes));
  };
  const add = (name: string, secret: Secret): void => secret.use((bytes) => addBytes(name, bytes));
  const addPair = (name: string, pair: Pair): void => {
    const exported = exportPrivate(pair);
    add(name, exported);
    exported.wipe();
  };
  addPair('tls', ring.tls);
  for (const [id, pair] of ring.pairs) addPair(`${ring.pool.includes(id) ? 'spare' : 'pair'}/${id}`, pair);
  for (const [id, key] of ring.symmetric) if (!ring.locked.has(id)) add(`symmetric/${id}`, key);
  for (const [id, box] of ring.locked) addBytes(`locked/${id}`, box);
  for (const [id, box] of ring.parked) addBytes(`parked/${id}`, box);
  for (const [lease, { salt, box }] of ring.wrapped)
    salt.use((bytes) => addBytes(`wrapped/${lease}`, Buffer.concat([bytes, box])));
  for (const [lease, key] of ring.outer) add(`outer/${lease}`, key);
  add('salt', ring.salt);
  const packed = Buffer.concat(parts);
  for (const part of parts) part.fill(0);
  return Secret.take(packed);
}

/**
 * The ring packed once, for the many changes that touch no key: taking every private key out of its object costs half as much as the
 * private operation of a command, and left a copy of it behind each time. There is one copy now, which is wiped when the ring is another.
 */
export class RingPacker {
  #last: { readonly ring: KeyRing; readonly packed: Secret } | undefined;

  /** The result is the packer's: it is good until the next call. */
  pack(ring: KeyRing): Secret {
    if (this.#last?.ring === ring) return this.#last.packed;
    this.#last?.packed.wipe();
    const packed = packRing(ring);
    this.#last = { ring, packed };
    return packed;
  }

  wipe(): void {
    this.#last?.packed.wipe();
    this.#last = undefined;
  }
}

/** Undefined when the bytes are not a packed ring: they were authenticated before, so that would be a fault of ours. */
export function unpackRing(packed: Secret, chain: Chain): KeyRing | undefined {
  const pairs = new Map<string, Pair>();
  const pool: string[] = [];
  const symmetric = new Map<string, Secret>();
  const locked = new Map<string, Uint8Array>();
  const parked = new Map<string, Uint8Array>();
  const wrapped = new Map<string, Wrapped>();
  const outer = new Map<string, Secret>();
  let tls: Pair | undefined;
  let salt: Secret | undefined;
  for (const [name, key] of entriesOf(packed)) {
    const [kind = '', id = ''] = name.split('/');
    if (kind === 'tls') tls = importPrivate(key);
    else if (kind === 'salt') salt = key;
    else if (kind === 'symmetric') symmetric.set(id, key);
    else if (kind === 'locked') locked.set(id, bytesOf(key));
    else if (kind === 'parked') parked.set(id, bytesOf(key));
    else if (kind === 'wrapped') wrapped.set(id, wrappedOf(key));
    else if (kind === 'outer') outer.set(id, key);
    else if (kind === 'pair' || kind === 'spare') {
      pairs.set(id, importPrivate(key));
      if (kind === 'spare') pool.push(id);
    } else return undefined;
  }
  if (!tls || !salt) return undefined;
  const ring = {
    tls,
    pairs,
    pool,
    symmetric,
    locked,
    parked,
    salt,
    data: new Map(),
    wrapped,
    outer,
  };
  return wrapAll(ring, chain);
}

function bytesOf(secret: Secret): Uint8Array {
  return secret.use((bytes) => Uint8Array.from(bytes));
}

function wrappedOf(entry: Secret): Wrapped {
  const bytes = bytesOf(entry);
  return { salt: Secret.take(bytes.slice(0, saltBytes)), box: bytes.slice(saltBytes) };
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
