import { X509Certificate } from 'node:crypto';
import { digestOf } from '../crypto/bytes.js';

/** The pin of a certificate: of its key alone, so that a renewed certificate keeps it. */
export function certificatePin(certificate: Buffer | string): string {
  const { publicKey } = new X509Certificate(certificate);
  return digestOf(publicKey.export({ type: 'spki', format: 'der' }));
}

const certificatesMax = 32_768;

/**
 * What certificates were shown lately. To read one costs as much as a tenth of all that a new connection costs, and when thousands of nodes come back each
 * shows the one that it showed before. Known is only the very same certificate, byte by byte.
 */
export class ShownCertificates {
  readonly #pins = new Map<string, string>();

  pinOf({ raw }: Pick<X509Certificate, 'raw'>): string {
    const digest = digestOf(raw);
    const known = this.#pins.get(digest);
    if (known !== undefined) return known;
    const pin = certificatePin(raw);
    if (this.#pins.size >= certificatesMax) this.#pins.clear();
    this.#pins.set(digest, pin);
    return pin;
  }
}
