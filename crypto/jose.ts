import type { KeyObject } from 'node:crypto';
import { CompactEncrypt, CompactSign, compactDecrypt, compactVerify } from 'jose';
import { fromB64u } from './bytes.js';
import type { Secret } from './secret.js';

/**
 * The four shapes of JOSE that we use, with everything pinned that RFC 8725 says to pin. A header has exactly the members
 * below: `zip`, `jku`, `jwk`, `x5u`, `b64`, `crit` and whatever else may be invented are refused as unknown members.
 */
export interface Header {
  readonly typ: string;
  readonly kid: string;
}

const encoder = new TextEncoder();

/** To a public key: RSA-OAEP-256 with A256GCM. */
export function sealTo(key: KeyObject, header: Header, plaintext: Uint8Array): Promise<string> {
  return new CompactEncrypt(plaintext)
    .setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A256GCM', ...header })
    .encrypt(key);
}

/**
 * An RSA number is written with as many bytes as its modulus. OpenSSL also takes one whose leading zero bytes were left
 * away, and JWE does not authenticate that part: without this check one message in 256 would have a second spelling.
 */
function hasLengthOf(key: KeyObject, part: string | undefined): boolean {
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  return part?.length === Math.ceil((Math.ceil(bits / 8) * 8) / 6);
}

/** Undefined for every failure alike: which part of it was wrong must not show. */
export async function openWith(key: KeyObject, envelope: string): Promise<Uint8Array | undefined> {
  if (!hasLengthOf(key, envelope.split('.', 2)[1])) return undefined;
  try {
    const { plaintext } = await compactDecrypt(envelope, key, {
      keyManagementAlgorithms: ['RSA-OAEP-256'],
      contentEncryptionAlgorithms: ['A256GCM'],
    });
    return plaintext;
  } catch {
    return undefined;
  }
}

/** With a symmetric key of 32 bytes: direct, A256GCM. */
export function sealDirect(key: Secret, header: Header, plaintext: Uint8Array): Promise<string> {
  return key.use((bytes) =>
    new CompactEncrypt(plaintext)
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', ...header })
      .encrypt(Uint8Array.from(bytes)),
  );
}

export async function openDirect(key: Secret, envelope: string): Promise<Uint8Array | undefined> {
  try {
    const { plaintext } = await key.use((bytes) =>
      compactDecrypt(envelope, Uint8Array.from(bytes), {
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
      }),
    );
    return plaintext;
  } catch {
    return undefined;
  }
}

/** A statement signed with PS256. */
export function sign(key: KeyObject, header: Header, payload: Uint8Array): Promise<string> {
  return new CompactSign(payload).setProtectedHeader({ alg: 'PS256', ...header }).sign(key);
}

export async function verify(key: KeyObject, statement: string): Promise<Uint8Array | undefined> {
  if (!hasLengthOf(key, statement.slice(statement.lastIndexOf('.') + 1))) return undefined;
  try {
    const { payload } = await compactVerify(statement, key, { algorithms: ['PS256'] });
    return payload;
  } catch {
    return undefined;
  }
}

type Shape = 'sealed-to' | 'sealed-direct' | 'signed';

const pinned: Record<Shape, { parts: number; members: Readonly<Record<string, string>> }> = {
  'sealed-to': { parts: 5, members: { alg: 'RSA-OAEP-256', enc: 'A256GCM' } },
  'sealed-direct': { parts: 5, members: { alg: 'dir', enc: 'A256GCM' } },
  signed: { parts: 3, members: { alg: 'PS256' } },
};

/** No header of ours is longer; a longer one is not worth decoding. */
const headerCharsMax = 512;

/**
 * Reads the header without any key operation. Undefined unless it is a compact serialisation of exactly this shape, in
 * canonical base64url, with exactly the pinned members and no member twice.
 */
export function readHeader(shape: Shape, compact: string, typ: string): Header | undefined {
  const { parts, members } = pinned[shape];
  let dots = 0;
  for (let at = compact.indexOf('.'); at !== -1; at = compact.indexOf('.', at + 1)) dots += 1;
  if (dots !== parts - 1) return undefined;
  const end = compact.indexOf('.');
  if (end > headerCharsMax) return undefined;
  const bytes = fromB64u(compact.slice(0, end));
  if (!bytes) return undefined;
  const text = Buffer.from(bytes).toString('utf8');
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) return undefined;
  const fields = new Map<string, unknown>(Object.entries(header));
  const wanted = { ...members, typ };
  for (const [name, value] of Object.entries(wanted)) if (fields.get(name) !== value) return undefined;
  const kid = fields.get('kid');
  if (typeof kid !== 'string' || fields.size !== Object.keys(wanted).length + 1) return undefined;
  // Our own writers put no space and no escape into a header, so a member given twice shows as a longer text.
  if (text.length !== JSON.stringify(header).length) return undefined;
  return { typ, kid };
}

/** Every other part must be canonical too, or one message would have many spellings. */
export function isCanonical(compact: string): boolean {
  return compact.split('.').every((part) => /^[A-Za-z0-9_-]*$/.test(part) && hasNoStrayBits(part));
}

function hasNoStrayBits(part: string): boolean {
  const tail = part.length % 4;
  if (tail === 1) return false;
  if (tail === 0) return true;
  const last = part.slice(part.length - tail);
  return fromB64u(last) !== undefined;
}

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}
