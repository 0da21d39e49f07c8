import { X509Certificate } from 'node:crypto';
import { digestOf } from '../crypto/bytes.js';

/** The pin of a certificate: of its key alone, so that a renewed certificate keeps it. */
export function certificatePin(certificate: Buffer | string): string {
  const { publicKey } = new X509Certificate(certificate);
  return digestOf(publicKey.export({ type: 'spki', format: 'der' }));
}
