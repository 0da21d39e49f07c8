import { sign } from 'node:crypto';
import { isIP } from 'node:net';
import forge from 'node-forge';
import type { Pair } from './rsa.js';

/**
 * A certificate that a pair signs for itself. It says nothing about who holds the key: whoever uses it pins the key.
 *
 * OpenSSL makes the signature; a private operation in JavaScript would be slow and not of constant time.
 */
export function selfSigned(pair: Pair, name: string, hosts: readonly string[] = []): forge.pki.Certificate {
  const made = forge.pki.createCertificate();
  made.publicKey = forge.pki.publicKeyFromPem(
    pair.public.key.export({ type: 'spki', format: 'pem' }).toString(),
  );
  made.serialNumber = `01${Buffer.from(pair.public.id, 'base64url').toString('hex').slice(0, 16)}`;
  made.validity.notBefore = new Date('2000-01-01T00:00:00Z');
  made.validity.notAfter = new Date('2049-12-31T00:00:00Z');
  const subject = [{ name: 'commonName', value: name }];
  made.setSubject(subject);
  made.setIssuer(subject);
  if (hosts.length > 0)
    made.setExtensions([
      {
        name: 'subjectAltName',
        altNames: hosts.map((host) => (isIP(host) === 0 ? { type: 2, value: host } : { type: 7, ip: host })),
      },
    ]);
  const signer = {
    sign: (): string => {
      const { tbsCertificate } = made as unknown as { tbsCertificate: forge.asn1.Asn1 };
      const der = Buffer.from(forge.asn1.toDer(tbsCertificate).getBytes(), 'latin1');
      return sign('sha256', der, pair.private).toString('latin1');
    },
  };
  made.sign(signer as unknown as forge.pki.rsa.PrivateKey, forge.md.sha256.create());
  return made;
}

export function selfSignedPem(pair: Pair, name: string, hosts: readonly string[]): string {
  return forge.pki.certificateToPem(selfSigned(pair, name, hosts));
}
