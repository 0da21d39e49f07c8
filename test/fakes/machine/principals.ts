import { createHash } from 'node:crypto';
import { thumbprint, type PublicJwk } from '../../../crypto/rsa.js';
import type { ConsoleKey, Role } from '../../../protocol/commands.js';

/** A public key that only serves to be told from others: nobody has its private half. */
export function publicKeyOf(name: string): PublicJwk {
  const blocks = Array.from({ length: 8 }, (_, at) => createHash('sha256').update(`${name} ${at}`).digest());
  const modulus = Buffer.concat(blocks);
  modulus[0] = (modulus[0] ?? 0) | 0x80;
  modulus[255] = (modulus[255] ?? 0) | 1;
  return { kty: 'RSA', n: modulus.toString('base64url'), e: 'AQAB' };
}

/** A console of a party: `landlord.operator` is the same one in every test. */
export function member(party: string, role: Role, name = `${party}.${role}`): ConsoleKey {
  return { key: publicKeyOf(name), name, role };
}

export function idOf(console: ConsoleKey): string {
  return thumbprint(console.key);
}

/** Three consoles, one of each role. */
export function rosterOf(party: string): ConsoleKey[] {
  return [member(party, 'administrator'), member(party, 'operator'), member(party, 'developer')];
}
