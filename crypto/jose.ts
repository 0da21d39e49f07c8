import {
  constants,
  createCipheriv,
  createDecipheriv,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
  verify as verifySignature,
  type KeyObject,
} from 'node:crypto';
import { CompactSign } from 'jose';
import { fromB64u, publicRandom, toB64u } from './bytes.js';
import type { Secret } from './secret.js';
import type { Signer } from './signer.js';

/**
 * The four shapes of JOSE that we use, with everything pinned that RFC 8725 says to pin. A header has exactly the members
 * below: `zip`, `jku`, `jwk`, `x5u`, `b64`, `crit` and whatever else may be invented are refused as unknown members.
 */
export interface Header {
  readonly typ: string;
  readonly kid: string;
}

const encoder = new TextEncoder();
const contentKeyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

/**
 * To a public key: RSA-OAEP-256 with A256GCM. A console of ten thousand nodes seals thousands of times when all come back, so it is put together over
 * OpenSSL like its counterpart: jose hands four pieces of it to other threads, which costs ten times the public operation, and keeps a second form of
 * every node's key.
 */
export function sealTo(key: KeyObject, header: Header, plaintext: Uint8Array): Promise<string> {
  const head = toB64u(utf8(JSON.stringify({ ...pinned['sealed-to'].members, ...header })));
  const cek = randomBytes(contentKeyBytes);
  const wrapped = publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, cek);
  const body = sealedParts(cek, head, plaintext);
  cek.fill(0);
  return Promise.resolve([head, toB64u(wrapped), ...body].join('.'));
}

/** The last three parts of a compact JWE under A256GCM: nonce, ciphertext and tag. */
function sealedParts(key: Uint8Array, head: string, plaintext: Uint8Array): readonly string[] {
  const nonce = publicRandom(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.from(head, 'latin1'));
  const sealed = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return [toB64u(nonce), toB64u(sealed), toB64u(cipher.getAuthTag())];
}

/**
 * An RSA number is written with as many bytes as its modulus. OpenSSL also takes one whose leading zero bytes were left
 * away, and JWE does not authenticate that part: without this check one message in 256 would have a second spelling.
 */
function hasLengthOf(key: KeyObject, part: string | undefined): boolean {
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  return part?.length === Math.ceil((Math.ceil(bits / 8) * 8) / 6);
}

/**
 * A content key that cannot be opened is replaced by a random one, so that the failure shows at one place only. The operation is done on this
 * thread: handing it to another one and back costs a fifth of it again (decision 0035), so who has many to do lets others in between.
 */
function contentKey(key: KeyObject, wrapped: Uint8Array): Uint8Array {
  try {
    const padding = constants.RSA_PKCS1_OAEP_PADDING;
    const bytes = privateDecrypt({ key, padding, oaepHash: 'sha256' }, wrapped);
    return bytes.length === contentKeyBytes ? bytes : randomBytes(contentKeyBytes);
  } catch {
    return randomBytes(contentKeyBytes);
  }
}

/**
 * Undefined for every failure alike: which part of it was wrong must not show. The node opens each request with this, so it
 * is put together over OpenSSL here, where jose would cost a quarter of the private operation. A test holds both halves
 * against jose.
 */
export function openWith(key: KeyObject, envelope: string): Uint8Array | undefined {
  const parts = envelope.split('.', 6);
  const [header = '', wrapped = '', nonce = '', sealed = '', tag = ''] = parts;
  if (parts.length !== 5 || !hasLengthOf(key, wrapped) || !isPinned('sealed-to', header)) return undefined;
  const cek = contentKey(key, Buffer.from(wrapped, 'base64url'));
  const [iv, mac] = [Buffer.from(nonce, 'base64url'), Buffer.from(tag, 'base64url')];
  if (iv.length !== nonceBytes || mac.length !== tagBytes) return undefined;
  const plaintext = opened(cek, { header, iv, mac, sealed });
  cek.fill(0);
  return plaintext;
}

/** With a symmetric key of 32 bytes: direct, A256GCM. The node seals each reply with it. */
export function sealDirect(key: Secret, header: Header, plaintext: Uint8Array): string {
  const head = toB64u(utf8(JSON.stringify({ ...pinned['sealed-direct'].members, ...header })));
  return [head, '', ...key.use((bytes) => sealedParts(bytes, head, plaintext))].join('.');
}

/** A page of a history has two megabytes, which jose takes apart byte by byte; that cost more than to check what stands in it. */
export function openDirect(key: Secret, envelope: string): Uint8Array | undefined {
  const parts = envelope.split('.', 6);
  const [header = '', wrapped = '', nonce = '', sealed = '', tag = ''] = parts;
  // The header of a reply names its request, so it is never met again and not worth remembering.
  if (parts.length !== 5 || wrapped !== '' || header.length > headerCharsMax) return undefined;
  if (!says(header, pinned['sealed-direct'].members)) return undefined;
  const [iv, mac] = [Buffer.from(nonce, 'base64url'), Buffer.from(tag, 'base64url')];
  if (iv.length !== nonceBytes || mac.length !== tagBytes) return undefined;
  return key.use((bytes) => opened(bytes, { header, iv, mac, sealed }));
}

interface Sealed {
  readonly header: string;
  readonly iv: Uint8Array;
  readonly mac: Uint8Array;
  /** In base64url. */
  readonly sealed: string;
}

function opened(key: Uint8Array, { header, iv, mac, sealed }: Sealed): Uint8Array | undefined {
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: tagBytes });
  decipher.setAAD(Buffer.from(header, 'latin1'));
  decipher.setAuthTag(mac);
  const plaintext = decipher.update(sealed, 'base64url');
  try {
    decipher.final();
  } catch {
    return undefined;
  }
  return plaintext;
}

/** A statement signed with PS256. */
export function sign(key: KeyObject, header: Header, payload: Uint8Array): Promise<string> {
  return new CompactSign(payload).setProtectedHeader({ alg: 'PS256', ...header }).sign(key);
}

/** The same, by whoever holds the private half. */
export async function signBy(signer: Signer, header: Header, payload: Uint8Array): Promise<string> {
  const head = toB64u(utf8(JSON.stringify({ ...pinned.signed.members, ...header })));
  const message = `${head}.${toB64u(payload)}`;
  return `${message}.${toB64u(await signer.signature(utf8(message)))}`;
}

/** PS256 as RFC 7518 has it: the salt as long as the digest. */
export function verify(key: KeyObject, statement: string): Promise<Uint8Array | undefined> {
  const signed = signedIn(key, statement);
  if (!signed) return Promise.resolve(undefined);
  const good = verifySignature('sha256', signed.message, ps256(key), signed.signature);
  return Promise.resolve(good ? Buffer.from(signed.payload, 'base64url') : undefined);
}

/** The same on the platform's other threads, for whoever has many to verify: a node does not (decision 0035). */
export function verifyBeside(key: KeyObject, statement: string): Promise<Uint8Array | undefined> {
  const signed = signedIn(key, statement);
  if (!signed) return Promise.resolve(undefined);
  return new Promise((resolve) =>
    verifySignature('sha256', signed.message, ps256(key), signed.signature, (error, good) =>
      resolve(!error && good ? Buffer.from(signed.payload, 'base64url') : undefined),
    ),
  );
}

const ps256 = (key: KeyObject) => ({ key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });

interface Signed {
  readonly message: Uint8Array;
  /** In base64url. */
  readonly payload: string;
  readonly signature: Uint8Array;
}

function signedIn(key: KeyObject, statement: string): Signed | undefined {
  const parts = statement.split('.', 4);
  const [header = '', payload = '', signature = ''] = parts;
  if (parts.length !== 3 || !hasLengthOf(key, signature) || !isPinned('signed', header)) return undefined;
  return {
    message: Buffer.from(`${header}.${payload}`, 'latin1'),
    payload,
    signature: Buffer.from(signature, 'base64url'),
  };
}

/**
 * What reading a header gave, by its spelling: a console writes the same one each time, and reading it costs as much as all else that a
 * message costs beside its keys. Whoever writes a header can only have that very header remembered; they are few, so that
 * strangers do not fill the memory, and what is not good is not kept.
 */
class Remembered<T> {
  readonly #known = new Map<string, T>();

  of(spelling: string, read: () => T | undefined): T | undefined {
    const known = this.#known.get(spelling);
    if (known !== undefined) return known;
    const made = read();
    if (made === undefined) return undefined;
    if (this.#known.size >= headersRememberedMax) this.#known.clear();
    this.#known.set(spelling, made);
    return made;
  }
}

const headersRememberedMax = 128;
const headersRead = new Remembered<Header>();
const headersPinned = new Remembered<true>();

/** Does the header name exactly these algorithms, and nothing else but what it is and which key? */
function isPinned(shape: Shape, header: string): boolean {
  const { members } = pinned[shape];
  if (header.length > headerCharsMax) return false;
  return headersPinned.of(`${shape} ${header}`, () => (says(header, members) ? true : undefined)) ?? false;
}

function says(header: string, members: Readonly<Record<string, string>>): boolean {
  try {
    const fields = new Map<string, unknown>(
      Object.entries(JSON.parse(Buffer.from(header, 'base64url').toString('utf8')) as object),
    );
    const known = [...Object.keys(members), 'typ', 'kid'];
    return (
      fields.size === known.length &&
      known.every((name) => typeof fields.get(name) === 'string') &&
      Object.entries(members).every(([name, value]) => fields.get(name) === value)
    );
  } catch {
    return false;
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
  const spelling = compact.slice(0, end);
  const read = (): Header | undefined => parseHeader(spelling, { ...members, typ });
  // The header of a reply names its request, so it never comes twice.
  return shape === 'sealed-direct' ? read() : headersRead.of(`${shape} ${typ} ${spelling}`, read);
}

function parseHeader(spelling: string, wanted: Readonly<Record<string, string>>): Header | undefined {
  const bytes = fromB64u(spelling);
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
  for (const [name, value] of Object.entries(wanted)) if (fields.get(name) !== value) return undefined;
  const kid = fields.get('kid');
  if (typeof kid !== 'string' || fields.size !== Object.keys(wanted).length + 1) return undefined;
  // Our own writers put no space and no escape into a header, so a member given twice shows as a longer text.
  if (text.length !== JSON.stringify(header).length) return undefined;
  return { typ: wanted['typ'] ?? '', kid };
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
