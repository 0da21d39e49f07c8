import { fromB64u, toB64u } from '../crypto/bytes.js';
import { isCanonical, openWith, readHeader, sealTo, utf8 } from '../crypto/jose.js';
import type { Pair, PublicKey } from '../crypto/rsa.js';
import { Secret } from '../crypto/secret.js';
import { idText } from './fields.js';
import { parseJson } from './json.js';
import { limits } from './limits.js';
import { object, text, whole } from './parse.js';

/** A secret of engines: one that some of them are given, by this name. */
export const secretName = text({
  max: 64,
  pattern: /^[A-Za-z0-9][A-Za-z0-9._-]*$/,
  form: 'letters, digits, dots, _ and -, beginning with a letter or digit',
});

/** Twice in base64, and its header. */
export const sealedSecret = text({
  max: limits.engine_secret_bytes_max * 2 + 4096,
  pattern: /^[A-Za-z0-9_.-]+$/,
  form: 'a compact JWE',
});

const typ = 'bm-secret+jwe';

const form = object({
  v: whole({ min: 1, max: 1 }),
  lease: idText,
  name: secretName,
  value: text({
    min: 0,
    max: limits.engine_secret_bytes_max * 2,
    pattern: /^[A-Za-z0-9_-]*$/,
    form: 'base64url',
  }),
});

interface Place {
  readonly lease: string;
  readonly name: string;
}

/**
 * Sealed to the pair of this start of the node, so that the command, which stands in the history for good, shows nothing to whoever reads that
 * later: not even to who has every key of the node.
 */
export function sealSecret(to: PublicKey, { lease, name }: Place, value: Secret): Promise<string> {
  const said = value.use((bytes) => JSON.stringify({ v: 1, lease, name, value: toB64u(bytes) }));
  return sealTo(to.key, { typ, kid: to.id }, utf8(said));
}

/** Undefined for everything that is not this secret of this lease, sealed to this very pair. */
export function openSecret(pair: Pair, jwe: string, place: Place): Secret | undefined {
  const header = readHeader('sealed-to', jwe, typ);
  if (header?.kid !== pair.public.id || !isCanonical(jwe)) return undefined;
  const plaintext = openWith(pair.private, jwe);
  const json = plaintext && parseJson(plaintext);
  const said = json?.ok ? form(json.value, '') : undefined;
  plaintext?.fill(0);
  if (!said?.ok || said.value.lease !== place.lease || said.value.name !== place.name) return undefined;
  const bytes = fromB64u(said.value.value);
  return bytes && bytes.length <= limits.engine_secret_bytes_max ? Secret.take(bytes) : undefined;
}
