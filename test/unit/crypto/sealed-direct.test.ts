import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { CompactEncrypt, compactDecrypt } from 'jose';
import { openDirect, sealDirect } from '../../../crypto/jose.js';
import { Secret } from '../../../crypto/secret.js';

const bytes = randomBytes(32);
const key = (): Secret => Secret.take(Uint8Array.from(bytes));
const header = { typ: 'bm-rep+jwe', kid: 'A'.repeat(43) };
const said = Buffer.from('{"it":"is"}');
const byJose = (more: Record<string, unknown> = {}): Promise<string> =>
  new CompactEncrypt(said)
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', ...header, ...more })
    .encrypt(Uint8Array.from(bytes));
const text = (opened: Uint8Array | undefined): string | undefined =>
  opened && Buffer.from(opened).toString('utf8');

describe('what is sealed with a symmetric key', () => {
  it('is opened by a JOSE library, and what that library seals is opened here', async () => {
    const { plaintext, protectedHeader } = await compactDecrypt(
      sealDirect(key(), header, said),
      Uint8Array.from(bytes),
    );
    expect(text(plaintext)).to.equal(said.toString());
    expect(protectedHeader).to.deep.equal({ alg: 'dir', enc: 'A256GCM', ...header });
    expect(text(openDirect(key(), await byJose()))).to.equal(said.toString());
  });

  it('stays closed when any part of it was changed, left away or put in, or the key is another', async () => {
    const sealed = sealDirect(key(), header, said);
    const parts = sealed.split('.');
    for (const at of parts.keys()) {
      const part = parts[at] ?? '';
      for (const other of [
        `A${part}`,
        part.slice(4),
        `${part.startsWith('A') ? 'B' : 'A'}${part.slice(1)}`,
      ]) {
        if (other === part) continue;
        expect(openDirect(key(), parts.with(at, other).join('.')), `part ${at}: ${other}`).to.equal(
          undefined,
        );
      }
      expect(openDirect(key(), parts.toSpliced(at, 1).join('.')), `without part ${at}`).to.equal(undefined);
    }
    expect(openDirect(key(), `${sealed}.`)).to.equal(undefined);
    expect(openDirect(Secret.take(randomBytes(32)), sealed)).to.equal(undefined);
  });

  it('has no other algorithm and no further member in its header, though the key be right', async () => {
    expect(openDirect(key(), await byJose({ zip: 'DEF' }).catch(() => 'jose does not write it'))).to.equal(
      undefined,
    );
    expect(openDirect(key(), await byJose({ jku: 'https://example.org' }))).to.equal(undefined);
    expect(openDirect(key(), await byJose({ crit: [] }).catch(() => 'jose does not write it'))).to.equal(
      undefined,
    );
  });
});
