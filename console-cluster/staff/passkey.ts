import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import { fromB64u, sha256 } from '../../crypto/bytes.js';
import { parseJson } from '../../protocol/json.js';
import { opaqueObject } from '../../protocol/parse.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { object, oneOf, text, whole, type ShapeOf } from '../../console/api/shape.js';

const binary = (max: number) => text({ max, pattern: /^[A-Za-z0-9_-]+$/, form: 'base64url' });

/** What a browser gives after it made a passkey. */
export const madePasskey = object({
  id: binary(1400),
  clientData: binary(4000),
  authenticatorData: binary(4000),
  publicKey: binary(2000),
  algorithm: whole({ min: -65_536, max: -1 }),
});
export type MadePasskey = ShapeOf<typeof madePasskey>;

/** What it gives after a passkey signed. */
export const usedPasskey = object({
  id: binary(1400),
  clientData: binary(4000),
  authenticatorData: binary(4000),
  signature: binary(2000),
});
export type UsedPasskey = ShapeOf<typeof usedPasskey>;

/** A passkey as it is kept. */
export const keptPasskey = object({
  id: binary(1400),
  /** SubjectPublicKeyInfo. */
  key: binary(2000),
  algorithm: whole({ min: -65_536, max: -1 }),
  count: whole({ min: 0, max: 0xffff_ffff }),
  added: whole({ min: 0, max: 32_503_680_000_000 }),
});
export type KeptPasskey = ShapeOf<typeof keptPasskey>;

export interface Ceremony {
  readonly challenge: string;
  /** As the browser knows this page: scheme, name and port. */
  readonly origin: string;
}

const clientDataType = oneOf('webauthn.create', 'webauthn.get');
const bad = (detail: string): Result<never> => refuse('wrong-second-factor', detail);

function rpIdOf(origin: string): string {
  return new URL(origin).hostname;
}

export function registerPasskey(made: MadePasskey, ceremony: Ceremony, now: number): Result<KeptPasskey> {
  const said = checkClientData(made.clientData, 'webauthn.create', ceremony);
  if (!said.ok) return said;
  const data = readAuthenticatorData(made.authenticatorData, ceremony);
  if (!data.ok) return data;
  // Behind the head stand 16 bytes for the model of the authenticator, the length of the id, and the id.
  const { bytes } = data.value;
  const length = bytes.length >= 55 ? bytes.readUInt16BE(53) : 0;
  const id = bytes.subarray(55, 55 + length);
  if ((data.value.flags & 0x40) === 0 || length === 0 || id.toString('base64url') !== made.id)
    return bad('the authenticator does not name the passkey');
  if (!keyOf(made)) return bad('the kind of its key is not known here');
  const { algorithm, publicKey } = made;
  return ok({ id: made.id, key: publicKey, algorithm, count: data.value.count, added: now });
}

/** Answers the new count of the passkey. */
export function checkPasskey(kept: KeptPasskey, used: UsedPasskey, ceremony: Ceremony): Result<number> {
  const said = checkClientData(used.clientData, 'webauthn.get', ceremony);
  if (!said.ok) return said;
  const data = readAuthenticatorData(used.authenticatorData, ceremony);
  if (!data.ok) return data;
  const key = keyOf({ publicKey: kept.key, algorithm: kept.algorithm });
  const signature = fromB64u(used.signature);
  if (!key || !signature) return bad('its key or signature cannot be read');
  const signed = Buffer.concat([data.value.bytes, said.value]);
  if (!verify(kept.algorithm === -8 ? null : 'sha256', signed, key, signature))
    return bad('its signature is wrong');
  const { count } = data.value;
  // An authenticator that counts and does not move forward was copied.
  if ((count !== 0 || kept.count !== 0) && count <= kept.count) return bad('its counter went back');
  return ok(count);
}

/** Answers the digest that is signed. */
function checkClientData(
  text: string,
  type: ReturnType<typeof clientDataType.parse> extends Result<infer T> ? T : never,
  ceremony: Ceremony,
): Result<Uint8Array> {
  const bytes = fromB64u(text);
  const json = bytes ? parseJson(bytes) : bad('it cannot be read');
  const data = json.ok ? opaqueObject(json.value, 'clientData') : json;
  if (!bytes || !data.ok) return bad('what the browser says cannot be read');
  const { type: said, challenge, origin, crossOrigin } = data.value;
  if (said !== type) return bad('it was made for another use');
  if (challenge !== ceremony.challenge) return bad('it answers another question');
  if (origin !== ceremony.origin) return bad('it was made for another site');
  if (crossOrigin !== undefined && crossOrigin !== false) return bad('it was made inside another site');
  return ok(sha256(bytes));
}

interface AuthenticatorData {
  readonly bytes: Buffer;
  readonly flags: number;
  readonly count: number;
}

function readAuthenticatorData(text: string, { origin }: Ceremony): Result<AuthenticatorData> {
  const decoded = fromB64u(text);
  const bytes = Buffer.from(decoded ?? new Uint8Array());
  if (bytes.length < 37) return bad('what the authenticator says is too short');
  if (!bytes.subarray(0, 32).equals(sha256(rpIdOf(origin)))) return bad('it was made for another site');
  const flags = bytes[32] ?? 0;
  if ((flags & 0x01) === 0) return bad('nobody touched the authenticator');
  return ok({ bytes, flags, count: bytes.readUInt32BE(33) });
}

/** -7: ECDSA with P-256; -8: Ed25519; -257: RSA PKCS#1 with SHA-256: what authenticators offer (WebAuthn level 3, 5.8.5). */
function keyOf(made: { publicKey: string; algorithm: number }): KeyObject | undefined {
  try {
    const der = Buffer.from(made.publicKey, 'base64url');
    const key = createPublicKey({ key: der, type: 'spki', format: 'der' });
    const kind = key.asymmetricKeyType;
    const details = key.asymmetricKeyDetails;
    const fits =
      (made.algorithm === -7 && kind === 'ec' && details?.namedCurve === 'prime256v1') ||
      (made.algorithm === -8 && kind === 'ed25519') ||
      (made.algorithm === -257 && kind === 'rsa' && (details?.modulusLength ?? 0) >= 2048);
    return fits ? key : undefined;
  } catch {
    return undefined;
  }
}
