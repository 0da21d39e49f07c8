import { fromB64u, toB64u } from '../crypto/bytes.js';
import { derive } from '../crypto/derive.js';
import { isCanonical, openDirect, readHeader, sealDirect, utf8 } from '../crypto/jose.js';
import type { Secret } from '../crypto/secret.js';
import { StreamOpener, StreamSealer } from '../crypto/stream.js';
import { isErrorCode, type ErrorCode } from './errors/index.js';
import { bytesText, idText } from './fields.js';
import { parseJson } from './json.js';
import { limits } from './limits.js';
import { flag, object, opaqueObject, optional, text, whole, type Parsed } from './parse.js';
import { historyHead } from './request.js';
import { ok, refuse, type Refusal, type Result } from './result.js';

export const replyTyp = 'bm-rep+jwe';

const errorMembers = object({
  code: text({ max: 64 }),
  detail: optional(text({ min: 0, max: 2000 })),
  where: optional(text({ min: 0, max: 1000 })),
  data: optional(opaqueObject),
});

const replyMembers = object({
  v: whole({ min: 1, max: 1 }),
  /** The id of the command that is answered. */
  jti: idText,
  /** Seconds since 1970 by the node's clock. */
  time: whole({ min: 0, max: 32_503_680_000 }),
  /** A fresh nonce for a next command. */
  nonce: bytesText(limits.nonce_bytes),
  /** Where the history of the asking level stands now. */
  head: historyHead,
  /** True when the command had acted before and this is its first reply again. */
  again: flag,
  result: optional(opaqueObject),
  error: optional(errorMembers),
  /** The stream that follows, if one does. */
  stream: optional(idText),
});

export type Reply = Parsed<typeof replyMembers>;

function keyFor(secret: Secret, requestDigest: string, purpose: string): Secret {
  const salt = fromB64u(requestDigest);
  if (!salt) throw new Error('a digest is base64url');
  return derive(secret, salt, purpose);
}

function replyKey(secret: Secret, requestDigest: string): Secret {
  return keyFor(secret, requestDigest, 'bmonitor reply v1');
}

export function sealReply(secret: Secret, requestDigest: string, reply: Reply): Promise<string> {
  const key = replyKey(secret, requestDigest);
  return Promise.resolve(sealDirect(key, { typ: replyTyp, kid: requestDigest }, utf8(JSON.stringify(reply))));
}

/** Which request a sealed reply answers, without opening it. */
export function replyDigestOf(envelope: string): Result<string> {
  const header = readHeader('sealed-direct', envelope, replyTyp);
  return header ? ok(header.kid) : refuse('malformed', 'not a sealed reply');
}

export function openReply(secret: Secret, requestDigest: string, envelope: string): Promise<Result<Reply>> {
  return Promise.resolve(openedReply(secret, requestDigest, envelope));
}

function openedReply(secret: Secret, requestDigest: string, envelope: string): Result<Reply> {
  if (!isCanonical(envelope)) return refuse('malformed', 'the reply is not in canonical base64url');
  const plaintext = openDirect(replyKey(secret, requestDigest), envelope);
  if (!plaintext) return refuse('cannot-open', 'the reply is not sealed with the secret of this request');
  const json = parseJson(plaintext);
  return json.ok ? replyMembers(json.value, '') : json;
}

/** A refusal by another side; a code that this version does not know is shown as such. */
export function refusalOf(error: NonNullable<Reply['error']>): Refusal {
  const code: ErrorCode = isErrorCode(error.code) ? error.code : 'unknown-refusal';
  const detail = isErrorCode(error.code) ? error.detail : `${error.code}: ${error.detail ?? ''}`;
  return {
    code,
    ...(detail === undefined ? {} : { detail }),
    ...(error.where === undefined ? {} : { where: error.where }),
    ...(error.data === undefined ? {} : { data: error.data }),
  };
}

export type StreamDirection = 'from-node' | 'to-node';

function streamKey(
  secret: Secret,
  requestDigest: string,
  stream: string,
  direction: StreamDirection,
): Secret {
  return keyFor(secret, requestDigest, `bmonitor stream v1 ${direction} ${stream}`);
}

export function streamSealer(
  secret: Secret,
  digest: string,
  stream: string,
  direction: StreamDirection,
): StreamSealer {
  return new StreamSealer(streamKey(secret, digest, stream, direction), streamIdBytes(stream));
}

export function streamOpener(
  secret: Secret,
  digest: string,
  stream: string,
  direction: StreamDirection,
): StreamOpener {
  return new StreamOpener(streamKey(secret, digest, stream, direction), streamIdBytes(stream));
}

function streamIdBytes(stream: string): Uint8Array {
  const bytes = fromB64u(stream);
  if (!bytes) throw new Error('a stream id is base64url');
  return bytes;
}

export function streamNameOf(id: Uint8Array): string {
  return toB64u(id);
}
