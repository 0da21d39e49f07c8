import { fromB64u } from '../../crypto/bytes.js';
import { digestText } from '../../protocol/fields.js';
import { list, object, oneOf, optional, text, whole, type Parsed } from '../../protocol/parse.js';
import { policyOr, policyPcr } from './tpm-policy.js';
import type { TpmPlace } from './tpm-session.js';

const handle = text({ max: 10, pattern: /^0x[0-9a-f]{8}$/, form: 'a handle' });
const blob = text({ max: 4096, pattern: /^[A-Za-z0-9_-]+$/, form: 'base64url' });

/** root.tpm: nothing in it is secret; it says where in the TPM the secrets are, and holds what only that TPM can open. */
export const placeForm = object({
  v: whole({ min: 1, max: 1 }),
  kind: oneOf('tpm-root'),
  /** The key that encrypts the salt of every session, and its name: another key at this handle is not used. */
  saltKey: handle,
  saltKeyName: text({ max: 140, pattern: /^[0-9a-f]+$/, form: 'hexadecimal' }),
  /** The index that holds G. */
  index: handle,
  pcrs: list(whole({ min: 0, max: 23 }), { min: 1, max: 24 }),
  /** The index that holds the policy in force. */
  approval: handle,
  /** The present measurement and the one that was approved, while there is one. */
  either: optional(list(digestText, { min: 2, max: 2 })),
  /** N, wrapped by the TPM. */
  identity: object({ public: blob, private: blob }),
  /** The root, sealed. */
  public: blob,
  private: blob,
});
export type Place = Parsed<typeof placeForm>;

export function textOf(place: Place): Uint8Array {
  return Buffer.from(`${JSON.stringify(place, null, 2)}\n`);
}

function eitherOf(place: Place): readonly [Buffer, Buffer] | undefined {
  const [one, other] = (place.either ?? []).map((digest) =>
    policyPcr(place.pcrs, fromB64u(digest) ?? Buffer.alloc(0)),
  );
  return one && other ? [one, other] : undefined;
}

export function policyOf(place: Place, present: Buffer): Buffer {
  const either = eitherOf(place);
  return either ? policyOr(...either) : policyPcr(place.pcrs, present);
}

export function tpmPlace(place: Place): TpmPlace {
  const { saltKey, pcrs, approval } = place;
  const either = eitherOf(place);
  return { saltKey, pcrs, approval, ...(either ? { either } : {}) };
}
