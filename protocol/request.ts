import { randomBytes } from 'node:crypto';
import { digestOf, fromB64u, toB64u } from '../crypto/bytes.js';
import { isCanonical, openWith, readHeader, sealTo, sign, utf8, verify } from '../crypto/jose.js';
import { rsaBits, type Pair, type PublicKey } from '../crypto/rsa.js';
import { Secret } from '../crypto/secret.js';
import type { KeyObject } from 'node:crypto';
import { parseCommand, type Command } from './commands.js';
import { bytesText, digestText, idText } from './fields.js';
import { parseJson } from './json.js';
import { limits } from './limits.js';
import { object, optional, whole, type Parsed } from './parse.js';
import { ok, refuse, type Result } from './result.js';

export const requestTyp = { envelope: 'bm-req+jwe', statement: 'bm-req+jws' } as const;

const replySecretBytes = 32;

const seconds = whole({ min: 0, max: 32_503_680_000 });

/** Where a history stood: the number of the last entry and its digest. */
export const historyHead = object({
  seq: whole({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  digest: digestText,
});
export type HistoryHead = Parsed<typeof historyHead>;

const claimMembers = object({
  v: whole({ min: 1, max: 1 }),
  /** Thumbprint of the console's key. */
  iss: digestText,
  /** Thumbprint of the U that opens the message. */
  aud: digestText,
  lease: idText,
  level: whole({ min: 0, max: limits.levels_max - 1 }),
  jti: idText,
  iat: seconds,
  exp: seconds,
  /** The start of the node for which the message was made. */
  boot: idText,
  /**
   * SHA-256 of the secret from which the keys of the reply and its streams are derived. The secret itself travels beside the
   * statement, because the statement is kept in histories that others read.
   */
  reply: digestText,
  /** A nonce that the node gave. */
  nonce: optional(bytesText(limits.nonce_bytes)),
  /** The head of the level's history as the console saw it last. */
  head: optional(historyHead),
  /** The id of the console's command that must have acted just before this one. */
  after: optional(idText),
  /** The fewest bits of RSA that the console takes: of the pair that opens this, of N, and of the pairs that its command gives out. */
  keyBits: optional(whole({ min: rsaBits.min, max: rsaBits.max })),
  command: parseCommand,
});

export type Claims = Parsed<typeof claimMembers>;

/** Before the envelope is opened: what it says on the outside. */
export interface Envelope {
  readonly text: string;
  /** Thumbprint of the key it is sealed to. */
  readonly kid: string;
  /** SHA-256 of the envelope: the name of this very message. */
  readonly digest: string;
}

/** What was inside the seal. */
export interface Unsealed {
  /** The signed statement itself, which proves later who said it. */
  readonly jws: string;
  /** From which the keys of the reply and its streams are derived. */
  readonly secret: Secret;
}

export interface Statement extends Unsealed {
  readonly claims: Claims;
  /**
   * SHA-256 of what was signed: the name of the statement, whatever seal it comes in. Others may hold a statement, from a history, and
   * could seal it again.
   */
  readonly digest: string;
}

/** Step 1, no key needed: is it an envelope at all, in its one canonical spelling? */
export function readEnvelope(text: string): Result<Envelope> {
  if (text.length > limits.envelope_chars_max)
    return refuse('too-large', `an envelope has ${limits.envelope_chars_max} characters at most`);
  const header = readHeader('sealed-to', text, requestTyp.envelope);
  if (!header) return refuse('malformed', 'not an envelope with the pinned header');
  if (!isCanonical(text)) return refuse('malformed', 'the envelope is not in canonical base64url');
  return ok({ text, kid: header.kid, digest: digestOf(text) });
}

/** Step 2, the one private-key operation. */
export function openEnvelope(envelope: Envelope, privateKey: KeyObject): Result<Unsealed> {
  const plaintext = openWith(privateKey, envelope.text);
  if (!plaintext) return refuse('cannot-open');
  const text = Buffer.from(plaintext.buffer, plaintext.byteOffset, plaintext.byteLength).toString('latin1');
  const mark = text.indexOf('~');
  const secret = fromB64u(text.slice(mark + 1));
  if (mark === -1 || secret?.length !== replySecretBytes)
    return refuse('malformed', 'not a statement and a secret');
  return ok({ jws: text.slice(0, mark), secret: Secret.take(secret) });
}

/** Step 3: whose signature is claimed. The key is looked up by the caller. */
export function signerOf(jws: string): Result<string> {
  const header = readHeader('signed', jws, requestTyp.statement);
  return header && isCanonical(jws)
    ? ok(header.kid)
    : refuse('malformed', 'not a statement with the pinned header');
}

/** Step 4: the signature, and only then the content. */
export async function readStatement(
  { jws, secret }: Unsealed,
  signer: PublicKey,
  kid: string,
): Promise<Result<Statement>> {
  const payload = await verify(signer.key, jws);
  if (!payload) return refuse('bad-signature');
  const json = parseJson(payload);
  if (!json.ok) return json;
  const claims = claimMembers(json.value, '');
  if (!claims.ok) return claims;
  if (claims.value.iss !== signer.id) return refuse('bad-signature', 'iss is not the key that signed');
  if (claims.value.aud !== kid) return refuse('wrong-node', 'aud is not the key that opened the message');
  if (secret.use((bytes) => digestOf(bytes)) !== claims.value.reply)
    return refuse('bad-signature', 'the secret beside the statement is not the one that was signed');
  return ok({ claims: claims.value, jws, secret, digest: digestOf(jws.slice(0, jws.lastIndexOf('.'))) });
}

/** What a console needs to know to speak to one level of one node. */
export interface Addressee {
  readonly level: number;
  readonly lease: string;
  readonly key: PublicKey;
}

export interface RequestOptions {
  readonly boot: string;
  readonly now_s: number;
  readonly life_s?: number;
  readonly jti?: string;
  readonly nonce?: string;
  readonly head?: HistoryHead;
  readonly after?: string;
  readonly keyBits?: number;
  /** For test vectors, which must come out the same again. */
  readonly secret?: Uint8Array;
}

export interface SealedRequest {
  readonly text: string;
  readonly digest: string;
  readonly jti: string;
  /** Opens the reply and its streams. */
  readonly secret: Secret;
}

export function newId(): string {
  // On a command line what begins with a hyphen is taken for an option.
  for (let id = toB64u(randomBytes(16)); ; id = toB64u(randomBytes(16))) if (!id.startsWith('-')) return id;
}

/** The console's side: signs with its own key, seals to the level's U. */
export async function sealRequest(
  from: Pair,
  to: Addressee,
  command: Command,
  options: RequestOptions,
): Promise<SealedRequest> {
  const secret = Secret.take(options.secret ?? randomBytes(replySecretBytes));
  const jti = options.jti ?? newId();
  const claims: Claims = {
    v: 1,
    iss: from.public.id,
    aud: to.key.id,
    lease: to.lease,
    level: to.level,
    jti,
    iat: options.now_s,
    exp: options.now_s + (options.life_s ?? limits.request_life_s_max),
    boot: options.boot,
    reply: secret.use((bytes) => digestOf(bytes)),
    ...(options.nonce === undefined ? {} : { nonce: options.nonce }),
    ...(options.head === undefined ? {} : { head: options.head }),
    ...(options.after === undefined ? {} : { after: options.after }),
    ...(options.keyBits === undefined ? {} : { keyBits: options.keyBits }),
    command,
  };
  const jws = await sign(
    from.private,
    { typ: requestTyp.statement, kid: from.public.id },
    utf8(JSON.stringify(claims)),
  );
  const plaintext = utf8(`${jws}~${secret.use(toB64u)}`);
  const text = await sealTo(to.key.key, { typ: requestTyp.envelope, kid: to.key.id }, plaintext);
  return { text, digest: digestOf(text), jti, secret };
}
