import { hkdfSync } from 'node:crypto';
import { Secret } from './secret.js';

/** HKDF-SHA-256 to 32 bytes. `info` names the purpose, so that one secret never gives the same key twice. */
export function derive(from: Secret, salt: Uint8Array, info: string): Secret {
  return from.use((bytes) => Secret.take(new Uint8Array(hkdfSync('sha256', bytes, salt, info, 32))));
}

export interface KeyShare {
  readonly level: number;
  readonly leaseId: string;
  readonly keyId: string;
  readonly key: Secret;
}

function prefixed(part: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(part.length);
  return Buffer.concat([length, part]);
}

/**
 * The key of the disk, from the symmetric key of every level that has one, in the order of levels, and a salt that only
 * the node knows. Every part carries its length, so that no two lists give the same input.
 */
export function deriveDiskKey(salt: Secret, shares: readonly KeyShare[]): Secret {
  const parts = shares.flatMap((share) => {
    const level = Buffer.alloc(4);
    level.writeUInt32BE(share.level);
    return [
      prefixed(level),
      prefixed(Buffer.from(share.leaseId)),
      prefixed(Buffer.from(share.keyId)),
      share.key.use((bytes) => prefixed(bytes)),
    ];
  });
  const list = Secret.take(Buffer.concat(parts));
  for (const part of parts) part.fill(0);
  const key = salt.use((bytes) => derive(list, bytes, 'bmonitor disk key v1'));
  list.wipe();
  return key;
}
