import { expect } from 'chai';
import { fewestBits } from '../../../../bmonitor/node/judge.js';
import type { KeyRing } from '../../../../bmonitor/keys/ring.js';
import type { Pair, PublicKey } from '../../../../crypto/rsa.js';

const key = (bits: number): PublicKey => ({ bits }) as PublicKey;

/** Made when the node was configured for shorter keys, and not given out yet. */
const ring = {
  pool: ['old', 'new'],
  pairs: new Map([
    ['old', { public: key(2048) } as Pair],
    ['new', { public: key(3072) } as Pair],
  ]),
} as unknown as KeyRing;

describe('the keys of a node that a console has to trust', () => {
  it('are the one that opened its message and the one that signs for the node', () => {
    expect(fewestBits(ring, [key(4096), key(3072)], 'status')).to.equal(3072);
  });

  for (const command of ['keys.rotate', 'lease.grant', 'lease.take', 'node.transfer'] as const)
    it(`are those made ahead too when one of them is given out, by ${command}`, () => {
      expect(fewestBits(ring, [key(4096), key(3072)], command)).to.equal(2048);
    });

  it('are too short when one of them is not known', () => {
    expect(fewestBits(ring, [undefined, key(3072)], 'status')).to.equal(0);
  });
});
