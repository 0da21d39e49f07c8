import { constants, sign, verify, type KeyObject } from 'node:crypto';
import type { Pair, PublicKey } from './rsa.js';

/** Whoever can sign with a private half, wherever that half is: in this process, or in a chip that never gives it away. */
export interface Signer {
  readonly public: PublicKey;
  /** RSASSA-PSS with SHA-256 and a salt as long as the digest: what PS256 is. */
  signature(message: Uint8Array): Promise<Uint8Array>;
}

/** A pair whose private half is in this process. */
export function signerOf(pair: Pair): Signer {
  const options = { key: pair.private, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
  return {
    public: pair.public,
    signature: (message) =>
      new Promise((resolve, reject) => {
        // With a callback it runs beside the event loop.
        sign('sha256', message, options, (error, signature) => (error ? reject(error) : resolve(signature)));
      }),
  };
}

/** Is it such a signature? */
export function verifies(key: KeyObject, message: Uint8Array, signature: Uint8Array): boolean {
  const options = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
  return verify('sha256', message, options, signature);
}
