import { expect } from 'chai';
import { CompactEncrypt, compactDecrypt } from 'jose';
import { openWith, readHeader, sealTo } from '../../../crypto/jose.js';
import { makePair, type Pair } from '../../../crypto/rsa.js';

const said = Buffer.from('{"it":"is"}~secret');
const text = (opened: Uint8Array | undefined): string | undefined =>
  opened && Buffer.from(opened).toString('utf8');

describe('what is sealed to a public key', () => {
  let pair: Pair;
  let header: { typ: string; kid: string };
  before(async () => {
    pair = await makePair(2048);
    header = { typ: 'bm-req+jwe', kid: pair.public.id };
  });
  const byJose = (more: Record<string, unknown> = {}): Promise<string> =>
    new CompactEncrypt(said)
      .setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A256GCM', ...header, ...more })
      .encrypt(pair.public.key);

  it('is opened by a JOSE library, and what that library seals is opened here', async () => {
    const sealed = await sealTo(pair.public.key, header, said);
    const { plaintext, protectedHeader } = await compactDecrypt(sealed, pair.private);
    expect(text(plaintext)).to.equal(said.toString());
    expect(protectedHeader).to.deep.equal({ alg: 'RSA-OAEP-256', enc: 'A256GCM', ...header });
    expect(text(openWith(pair.private, await byJose()))).to.equal(said.toString());
  });

  it('is spelled to the letter as that library spells it, but for what is drawn by chance', async () => {
    const [own, theirs] = [await sealTo(pair.public.key, header, said), await byJose()];
    expect(own.split('.')[0]).to.equal(theirs.split('.')[0]);
    expect(own.split('.').map((part) => part.length)).to.deep.equal(
      theirs.split('.').map((part) => part.length),
    );
    expect(readHeader('sealed-to', own, header.typ)).to.deep.equal(header);
  });

  it('has another key and another nonce each time', async () => {
    const seen = new Set<string>();
    for (let round = 0; round < 50; round += 1)
      for (const part of (await sealTo(pair.public.key, header, said)).split('.').slice(1, 3)) seen.add(part);
    expect(seen.size).to.equal(100);
  });

  it('stays closed when any part of it was changed, or for another key', async () => {
    const sealed = await sealTo(pair.public.key, header, said);
    const parts = sealed.split('.');
    for (const at of parts.keys()) {
      const part = parts[at] ?? '';
      const other = `${part.startsWith('A') ? 'B' : 'A'}${part.slice(1)}`;
      expect(openWith(pair.private, parts.with(at, other).join('.')), `part ${at}`).to.equal(undefined);
    }
    expect(openWith((await makePair(2048)).private, sealed)).to.equal(undefined);
  });
});
