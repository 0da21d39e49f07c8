import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { digestOf, fromB64u } from './bytes.js';
import { Secret } from './secret.js';

/** The public half as it travels: a JWK with exactly these members. */
export interface PublicJwk {
  readonly kty: 'RSA';
  readonly n: string;
  readonly e: string;
}

export const rsaBits = { min: 2048, normal: 3072, max: 4096 } as const;

export interface PublicKey {
  readonly key: KeyObject;
  readonly jwk: PublicJwk;
  /** RFC 7638 thumbprint: the name of the pair. */
  readonly id: string;
  /** SHA-256 of the SubjectPublicKeyInfo: what a certificate of the key is pinned by. */
  readonly spkiDigest: string;
  readonly bits: number;
}

/** A pair whose private half stays inside its KeyObject, which neither prints nor serialises. */
export interface Pair {
  readonly public: PublicKey;
  readonly private: KeyObject;
}

export function thumbprint(jwk: PublicJwk): string {
  return digestOf(JSON.stringify({ e: jwk.e, kty: jwk.kty, n: jwk.n }));
}

/** Undefined when it is not an RSA key of a size and exponent we use. */
export function publicKeyFromJwk(jwk: PublicJwk): PublicKey | undefined {
  const modulus = fromB64u(jwk.n);
  // A leading zero byte would be a second spelling of the same key, and so a second name for it.
  if (!modulus || modulus[0] === undefined || modulus[0] < 0x80 || jwk.e !== 'AQAB') return undefined;
  const bits = modulus.length * 8;
  if (bits < rsaBits.min || bits > rsaBits.max) return undefined;
  try {
    const key = createPublicKey({ key: { kty: 'RSA', n: jwk.n, e: jwk.e }, format: 'jwk' });
    return {
      key,
      jwk: { kty: 'RSA', n: jwk.n, e: jwk.e },
      id: thumbprint(jwk),
      spkiDigest: digestOf(key.export({ type: 'spki', format: 'der' })),
      bits,
    };
  } catch {
    return undefined;
  }
}

function publicKeyOf(key: KeyObject): PublicKey {
  const { n, e } = key.export({ format: 'jwk' });
  const made = publicKeyFromJwk({ kty: 'RSA', n: n ?? '', e: e ?? '' });
  if (!made) throw new Error('the key is not an RSA key of a supported size');
  return made;
}

/** Undefined when it is not the public half of an RSA key of a size and exponent we use. */
export function publicKeyFromPem(pem: string): PublicKey | undefined {
  try {
    const { n, e } = createPublicKey(pem).export({ format: 'jwk' });
    return publicKeyFromJwk({ kty: 'RSA', n: n ?? '', e: e ?? '' });
  } catch {
    return undefined;
  }
}

const generate = promisify(generateKeyPair);

export async function makePair(bits: number = rsaBits.normal): Promise<Pair> {
  const { publicKey, privateKey } = await generate('rsa', { modulusLength: bits, publicExponent: 0x10001 });
  return { public: publicKeyOf(publicKey), private: privateKey };
}

/** PKCS#8 DER, for whoever keeps it sealed. */
export function exportPrivate(pair: Pair): Secret {
  return Secret.take(pair.private.export({ type: 'pkcs8', format: 'der' }));
}

export function importPrivate(pkcs8: Secret): Pair {
  const key = pkcs8.use((bytes) =>
    createPrivateKey({ key: Buffer.from(bytes), type: 'pkcs8', format: 'der' }),
  );
  return { public: publicKeyOf(createPublicKey(key)), private: key };
}
