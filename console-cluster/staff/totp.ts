import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Secret } from '../../crypto/secret.js';

/** RFC 6238 as every authenticator speaks it: SHA-1, six digits, thirty seconds. */
const step_s = 30;
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

export function totpAt(secret: Secret, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = secret.use((bytes) => createHmac('sha1', bytes).update(counter).digest());
  const offset = (mac[19] ?? 0) & 0xf;
  return String((mac.readUInt32BE(offset) & 0x7fff_ffff) % 1_000_000).padStart(6, '0');
}

export function stepOf(now_ms: number): number {
  return Math.floor(now_ms / 1000 / step_s);
}

/**
 * The step that the code belongs to: this one or one beside it, for clocks that differ a little. A step at or before the last one
 * used gives nothing, so that a code seen over a shoulder is worth nothing once it was used.
 */
export function totpMatches(
  secret: Secret,
  code: string,
  now_ms: number,
  lastStep: number,
): number | undefined {
  const given = Buffer.from(code);
  let matched: number | undefined;
  for (const step of [-1, 0, 1].map((offset) => stepOf(now_ms) + offset)) {
    const right = Buffer.from(totpAt(secret, step));
    if (given.length === right.length && timingSafeEqual(given, right) && step > lastStep) matched = step;
  }
  return matched;
}

/** RFC 4648 base32, as authenticators take a secret that is typed. */
export function base32(bytes: Uint8Array): string {
  let bits = '';
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0');
  const groups = bits.match(/.{1,5}/g) ?? [];
  return groups.map((group) => alphabet[parseInt(group.padEnd(5, '0'), 2)]).join('');
}

export function otpauthUri(console: string, account: string, secret: string): string {
  const label = `${encodeURIComponent(console)}:${encodeURIComponent(account)}`;
  return `otpauth://totp/${label}?secret=${secret}&issuer=${encodeURIComponent(console)}&algorithm=SHA1&digits=6&period=30`;
}
