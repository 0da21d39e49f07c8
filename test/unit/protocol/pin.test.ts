import { X509Certificate } from 'node:crypto';
import { expect } from 'chai';
import { selfSignedPem } from '../../../crypto/certificate.js';
import { makePair } from '../../../crypto/rsa.js';
import { certificatePin, ShownCertificates } from '../../../protocol/pin.js';

describe('the pins of certificates that were shown', () => {
  it('are those of the certificates, the first time and every later one', async () => {
    const [one, other] = [await makePair(2048), await makePair(2048)];
    const shown = new ShownCertificates();
    for (let round = 0; round < 3; round += 1)
      for (const pair of [one, other]) {
        const certificate = new X509Certificate(selfSignedPem(pair, 'node', []));
        expect(shown.pinOf(certificate)).to.equal(certificatePin(certificate.raw));
        expect(shown.pinOf(certificate)).to.equal(pair.public.spkiDigest);
      }
  });

  it('are not taken from a certificate that differs in one byte: who shows that has to have its own key', async () => {
    const [one, other] = [await makePair(2048), await makePair(2048)];
    const shown = new ShownCertificates();
    const before = new X509Certificate(selfSignedPem(one, 'node', []));
    const renamed = new X509Certificate(selfSignedPem(one, 'nodf', []));
    const another = new X509Certificate(selfSignedPem(other, 'node', []));
    expect(shown.pinOf(before)).to.equal(one.public.spkiDigest);
    expect(shown.pinOf(renamed)).to.equal(one.public.spkiDigest);
    expect(shown.pinOf(another)).to.equal(other.public.spkiDigest);
  });
});
