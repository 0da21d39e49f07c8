import { readHeader, signBy, utf8, verify } from '../../crypto/jose.js';
import type { PublicKey } from '../../crypto/rsa.js';
import type { Signer } from '../../crypto/signer.js';
import { parseJson } from '../json.js';
import type { Parse } from '../parse.js';
import { refuse, type Result } from '../result.js';

/** What one side of a pairing says for good, signed with the key that the codes vouch for. */
export function signStatement(signer: Signer, typ: string, claims: object): Promise<string> {
  return signBy(signer, { typ, kid: signer.public.id }, utf8(JSON.stringify(claims)));
}

export async function readStatement<T extends { readonly transcript: string }>(
  jws: string,
  expected: {
    readonly typ: string;
    readonly key: PublicKey;
    readonly transcript: string;
    readonly form: Parse<T>;
  },
): Promise<Result<T>> {
  const { typ, key, transcript, form } = expected;
  if (readHeader('signed', jws, typ)?.kid !== key.id) return refuse('bad-signature', 'of another key');
  const payload = await verify(key.key, jws);
  if (!payload) return refuse('bad-signature');
  const json = parseJson(payload);
  const claims = json.ok ? form(json.value, 'statement') : json;
  if (!claims.ok) return claims;
  return claims.value.transcript === transcript
    ? claims
    : refuse('replayed', 'the statement was made for another pairing');
}
