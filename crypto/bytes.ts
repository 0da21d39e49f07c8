import { createHash, hash, randomFillSync } from 'node:crypto';

export function toB64u(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');
}

/**
 * Only the one canonical spelling is accepted: no padding, no foreign characters, no stray bits at the end. Otherwise the
 * same message could be spelled in several ways and pass a memory of what was seen before.
 */
export function fromB64u(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}

export function sha256(...parts: readonly (Uint8Array | string)[]): Uint8Array {
  const hashing = createHash('sha256');
  for (const part of parts) hashing.update(part);
  return hashing.digest();
}

/** SHA-256 in base64url: how messages, keys and history entries are named. */
export function digestOf(...parts: readonly (Uint8Array | string)[]): string {
  const [only] = parts;
  // Each message is named several times: at once, it costs half of what it costs in steps.
  if (parts.length === 1 && only !== undefined) return hash('sha256', only, 'base64url');
  return toB64u(sha256(...parts));
}

const drawn = Buffer.alloc(4096);
let left = 0;

/**
 * Random bytes that everybody may see, such as a nonce: never a secret, for they lie about in memory before they are used. A call for each
 * dozen of them costs more than what they are for.
 */
export function publicRandom(count: number): Buffer {
  if (left < count) {
    randomFillSync(drawn);
    left = drawn.length;
  }
  left -= count;
  return Buffer.from(drawn.subarray(left, left + count));
}
