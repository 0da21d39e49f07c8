import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Secret } from './secret.js';

/**
 * AES-256-GCM for what rests on a disk: nonce (12) | ciphertext | tag (16). `context` says what the bytes are and where they
 * belong, so that one sealed value cannot be put in the place of another.
 */
export function sealBox(key: Secret, context: string, plaintext: Uint8Array): Uint8Array {
  const nonce = randomBytes(12);
  const cipher = key.use((bytes) => createCipheriv('aes-256-gcm', bytes, nonce));
  cipher.setAAD(Buffer.from(context));
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

export function openBox(key: Secret, context: string, box: Uint8Array): Uint8Array | undefined {
  if (box.length < 28) return undefined;
  const decipher = key.use((bytes) =>
    createDecipheriv('aes-256-gcm', bytes, box.subarray(0, 12), { authTagLength: 16 }),
  );
  decipher.setAAD(Buffer.from(context));
  decipher.setAuthTag(box.subarray(box.length - 16));
  const start = decipher.update(box.subarray(12, box.length - 16));
  try {
    return Buffer.concat([start, decipher.final()]);
  } catch {
    return undefined;
  }
}
