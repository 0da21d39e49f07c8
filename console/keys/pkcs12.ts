import { createPrivateKey } from 'node:crypto';
import forge from 'node-forge';
import { exportPrivate, importPrivate, publicKeyFromJwk, type Pair } from '../../crypto/rsa.js';
import { Secret } from '../../crypto/secret.js';
import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { selfSigned } from '../../crypto/certificate.js';

/** A PKCS#12 file needs a work factor that its oldest readers still accept; the passphrase carries the rest. */
const iterations = 100_000;

const binary = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** A backup that every tool for certificates can read; these find the key by its certificate, so there is one. */
export function exportPkcs12(pair: Pair, name: string, passphrase: Secret): Uint8Array {
  const pem = pair.private.export({ type: 'pkcs1', format: 'pem' }).toString();
  const options = { algorithm: 'aes256', count: iterations, friendlyName: name } as const;
  const asn1 = passphrase.use((bytes) =>
    forge.pkcs12.toPkcs12Asn1(
      forge.pki.privateKeyFromPem(pem),
      [selfSigned(pair, name)],
      Buffer.from(bytes).toString('utf8'),
      options,
    ),
  );
  return Buffer.from(forge.asn1.toDer(asn1).getBytes(), 'latin1');
}

export function importPkcs12(content: Uint8Array, passphrase: Secret): Result<Pair> {
  if (content.length > limits.key_file_bytes_max)
    return refuse('too-large', `a backup has at most ${limits.key_file_bytes_max} bytes`);
  let file: forge.pkcs12.Pkcs12Pfx;
  try {
    const asn1 = forge.asn1.fromDer(binary(content));
    file = passphrase.use((bytes) => forge.pkcs12.pkcs12FromAsn1(asn1, Buffer.from(bytes).toString('utf8')));
  } catch (error) {
    if (error instanceof Error && /MAC could not be verified/.test(error.message))
      return refuse('wrong-passphrase');
    return refuse('bad-input', 'not a PKCS#12 file');
  }
  const bags = [forge.pki.oids['pkcs8ShroudedKeyBag'], forge.pki.oids['keyBag']].flatMap((bagType) =>
    bagType === undefined ? [] : (file.getBags({ bagType })[bagType] ?? []),
  );
  const [only, ...others] = bags;
  if (!only?.key || others.length > 0) return refuse('bad-input', 'the backup must hold exactly one key');
  const pem = forge.pki.privateKeyToPem(only.key);
  const der = Secret.take(createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' }));
  const jwk = createPrivateKey(pem).export({ format: 'jwk' });
  if (!publicKeyFromJwk({ kty: 'RSA', n: jwk.n ?? '', e: jwk.e ?? '' })) return refuse('weak-key');
  const pair = importPrivate(der);
  der.wipe();
  return ok(pair);
}

/** Whether two pairs are one, without showing either. */
export function samePair(a: Pair, b: Pair): boolean {
  return exportPrivate(a).equals(exportPrivate(b));
}
