import { createHash } from 'node:crypto';

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
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** SHA-256 in base64url: how messages, keys and history entries are named. */
export function digestOf(...parts: readonly (Uint8Array | string)[]): string {
  return toB64u(sha256(...parts));
}
