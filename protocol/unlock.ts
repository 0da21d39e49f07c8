import { fromB64u, toB64u } from '../crypto/bytes.js';
import { isCanonical, openWith, readHeader, sealTo, signBy, utf8, verify } from '../crypto/jose.js';
import { publicKeyFromJwk, type Pair, type PublicKey } from '../crypto/rsa.js';
import type { Signer } from '../crypto/signer.js';
import { Secret } from '../crypto/secret.js';
import { bytesText, digestText, idText, publicJwk } from './fields.js';
import { parseJson } from './json.js';
import { object, oneOf, whole, type Parsed } from './parse.js';
import { ok, refuse, type Result } from './result.js';

/** Shares are 32 random bytes that a level's console keeps and the node does not. */
export const shareBytes = 32;
const typ = { boot: 'bm-boot+jws', share: 'bm-share+jwe' } as const;

/** What N says of the pair B, which lives in memory for one start of the node. */
const bootForm = object({
  v: whole({ min: 1, max: 1 }),
  kind: oneOf('boot'),
  node: digestText,
  boot: idText,
  key: publicJwk,
});
export type BootStatement = Parsed<typeof bootForm>;

const shareForm = object({
  v: whole({ min: 1, max: 1 }),
  /** The id of the K that the share is for. */
  key: idText,
  share: bytesText(shareBytes),
});

export async function signBoot(identity: Signer, boot: string, pair: Pair): Promise<string> {
  const statement: BootStatement = {
    v: 1,
    kind: 'boot',
    node: identity.public.id,
    boot,
    key: pair.public.jwk,
  };
  return signBy(identity, { typ: typ.boot, kid: identity.public.id }, utf8(JSON.stringify(statement)));
}

/** The console's side: B is only used when the node that the console pinned vouches for it, for this very start. */
export async function verifyBoot(jws: string, identity: PublicKey, boot: string): Promise<Result<PublicKey>> {
  const header = readHeader('signed', jws, typ.boot);
  if (!header || !isCanonical(jws)) return refuse('malformed', 'not a statement of a start');
  const payload = header.kid === identity.id ? await verify(identity.key, jws) : undefined;
  if (!payload) return refuse('bad-signature');
  const json = parseJson(payload);
  const statement = json.ok ? bootForm(json.value, '') : json;
  if (!statement.ok) return statement;
  if (statement.value.boot !== boot) return refuse('wrong-boot');
  const key = publicKeyFromJwk(statement.value.key);
  return key && statement.value.node === identity.id ? ok(key) : refuse('bad-signature');
}

export function sealShare(to: PublicKey, key: string, share: Secret): Promise<string> {
  const text = share.use((bytes) => JSON.stringify({ v: 1, key, share: toB64u(bytes) }));
  return sealTo(to.key, { typ: typ.share, kid: to.id }, utf8(text));
}

/** Undefined for everything that is not a share sealed to this very pair. */
export function openShare(
  pair: Pair,
  jwe: string,
): { readonly key: string; readonly share: Secret } | undefined {
  const header = readHeader('sealed-to', jwe, typ.share);
  if (header?.kid !== pair.public.id || !isCanonical(jwe)) return undefined;
  const plaintext = openWith(pair.private, jwe);
  const json = plaintext && parseJson(plaintext);
  const form = json?.ok ? shareForm(json.value, '') : undefined;
  plaintext?.fill(0);
  const bytes = form?.ok ? fromB64u(form.value.share) : undefined;
  return form?.ok && bytes ? { key: form.value.key, share: Secret.take(bytes) } : undefined;
}
