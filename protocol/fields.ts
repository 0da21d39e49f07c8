import { fromB64u } from '../crypto/bytes.js';
import { publicKeyFromJwk, type PublicJwk } from '../crypto/rsa.js';
import { limits } from './limits.js';
import { described, object, text, type Parse } from './parse.js';
import { ok, refuse } from './result.js';

/** The fields that many messages share. */
export function bytesText(count: number): Parse<string> {
  return described(`${count} bytes in base64url`, (value, where) =>
    typeof value === 'string' && fromB64u(value)?.length === count
      ? ok(value)
      : refuse('bad-input', `must be ${count} bytes in base64url`, { where }),
  );
}

/** A thumbprint of a key, or a digest. */
export const digestText = bytesText(32);
export const idText = bytesText(16);
export const nameText = text({
  max: limits.name_chars_max,
  pattern: /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/,
  form: 'small letters, digits, dots and hyphens, with a letter or digit at both ends',
});

/** A word by which a level knows some of its nodes. */
export const labelText = text({
  max: limits.label_chars_max,
  pattern: /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/,
  form: 'small letters, digits, dots and hyphens, with a letter or digit at both ends',
});

const jwkMembers = object({
  kty: text({ max: 3, pattern: /^RSA$/, form: 'RSA' }),
  n: text({ max: 700 }),
  e: text({ max: 4 }),
});

export const publicJwk: Parse<PublicJwk> = described('a public key (JWK)', (value, where) => {
  const parsed = jwkMembers(value, where);
  if (!parsed.ok) return parsed;
  const key = publicKeyFromJwk({ kty: 'RSA', n: parsed.value.n, e: parsed.value.e });
  return key
    ? ok(key.jwk)
    : refuse('weak-key', 'an RSA key of 2048 to 4096 bits with exponent 65537', { where });
});
