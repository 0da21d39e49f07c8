import { expect } from 'chai';
import { readHeader } from '../../../crypto/jose.js';

const b64u = (text: string): string => Buffer.from(text).toString('base64url');
const envelope = (header: string): string => `${b64u(header)}.AA.AA.AA.AA`;
const good = '{"alg":"RSA-OAEP-256","enc":"A256GCM","typ":"bm-req+jwe","kid":"one"}';

describe('a header that was read before', () => {
  it('reads the same again', () => {
    const first = readHeader('sealed-to', envelope(good), 'bm-req+jwe');
    expect(first).to.deep.equal({ typ: 'bm-req+jwe', kid: 'one' });
    expect(readHeader('sealed-to', envelope(good), 'bm-req+jwe')).to.deep.equal(first);
  });

  it('is good for its own type and shape only', () => {
    expect(readHeader('sealed-to', envelope(good), 'bm-req+jwe')).to.not.equal(undefined);
    expect(readHeader('sealed-to', envelope(good), 'bm-other+jwe')).to.equal(undefined);
    expect(readHeader('sealed-direct', envelope(good), 'bm-req+jwe')).to.equal(undefined);
    expect(readHeader('signed', `${b64u(good)}.AA.AA`, 'bm-req+jwe')).to.equal(undefined);
  });

  it('says nothing for a message of another number of parts', () => {
    expect(readHeader('sealed-to', envelope(good), 'bm-req+jwe')).to.not.equal(undefined);
    expect(readHeader('sealed-to', `${b64u(good)}.AA`, 'bm-req+jwe')).to.equal(undefined);
  });

  it('is not forgotten wrongly when many others came in between', () => {
    for (let at = 0; at < 1000; at += 1) {
      const other = good.replace('one', `k${at}`);
      expect(readHeader('sealed-to', envelope(other), 'bm-req+jwe')?.kid).to.equal(`k${at}`);
    }
    expect(readHeader('sealed-to', envelope(good), 'bm-req+jwe')?.kid).to.equal('one');
  });
});
