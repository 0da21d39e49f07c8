import { randomBytes } from 'node:crypto';
import { digestOf, toB64u } from '../../crypto/bytes.js';
import { sealTo, sign, utf8 } from '../../crypto/jose.js';
import type { Pair, PublicKey } from '../../crypto/rsa.js';
import { Secret } from '../../crypto/secret.js';
import { newId, requestTyp, type Addressee, type SealedRequest } from '../../protocol/request.js';

/** Everything that a forger may choose. */
export interface Forged {
  /** Members of the claims that differ from the honest ones; undefined takes one out. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** Changes the payload's bytes before they are signed. */
  readonly payload?: (text: string) => string;
  /** Changes the signed statement, or what stands beside it. */
  readonly statement?: (jws: string) => string;
  readonly plaintext?: (text: string) => string;
  /** The key it is sealed to, and the name it gives that key. */
  readonly sealedTo?: PublicKey;
  readonly kid?: string;
  /** The name of the signer's key. */
  readonly signer?: string;
  readonly secret?: Uint8Array;
}

/** A request made by hand, as somebody would make it who knows the protocol and does not keep to it. */
export async function craft(
  from: Pair,
  to: Addressee,
  command: Readonly<Record<string, unknown>>,
  hello: { readonly boot: string; readonly nonce?: string },
  forged: Forged = {},
): Promise<SealedRequest> {
  const secret = forged.secret ?? randomBytes(32);
  const now_s = Math.floor(Date.now() / 1000);
  const jti = newId();
  const claims = {
    v: 1,
    iss: from.public.id,
    aud: (forged.sealedTo ?? to.key).id,
    lease: to.lease,
    level: to.level,
    jti,
    iat: now_s,
    exp: now_s + 60,
    boot: hello.boot,
    reply: digestOf(secret),
    ...(hello.nonce === undefined ? {} : { nonce: hello.nonce }),
    command,
    ...forged.claims,
  };
  const payload = (forged.payload ?? same)(JSON.stringify(claims));
  const jws = await sign(
    from.private,
    { typ: requestTyp.statement, kid: forged.signer ?? from.public.id },
    utf8(payload),
  );
  const plaintext = (forged.plaintext ?? same)(`${(forged.statement ?? same)(jws)}~${toB64u(secret)}`);
  const key = forged.sealedTo ?? to.key;
  const header = { typ: requestTyp.envelope, kid: forged.kid ?? key.id };
  const text = await sealTo(key.key, header, utf8(plaintext));
  return { text, digest: digestOf(text), jti: claims.jti, secret: Secret.take(Uint8Array.from(secret)) };
}

function same(text: string): string {
  return text;
}

/** The same text with another character somewhere inside one of its dotted parts, still in canonical base64url. */
export function altered(compact: string, part: number): string {
  const parts = compact.split('.');
  const text = parts[part] ?? '';
  const at = Math.floor(text.length / 2);
  parts[part] = `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`;
  return parts.join('.');
}
