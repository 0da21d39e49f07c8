import { expect } from 'chai';
import { packRing, RingPacker } from '../../../../bmonitor/keys/pack.js';
import { changeRing, firstRing } from '../../../../bmonitor/keys/ring.js';
import { makePair } from '../../../../crypto/rsa.js';

describe('a ring that is packed again and again', () => {
  it('is packed once while it is the same, and its copy is wiped when it is another', async () => {
    const ring = firstRing({ tls: await makePair(2048), pairs: new Map(), pool: [] }, 'a');
    const packer = new RingPacker();
    const first = packer.pack(ring);
    expect(first.equals(packRing(ring))).to.equal(true);
    expect(packer.pack(ring)).to.equal(first);
    const other = changeRing(
      ring,
      [{ kind: 'make-symmetric', id: 'k' }],
      [{ lease: 'a', symmetric: 'k', status: 'active' }],
    );
    expect(packer.pack(other).equals(packRing(other))).to.equal(true);
    expect(() => first.use(() => undefined)).to.throw('wiped');
    packer.wipe();
    expect(packer.pack(other).equals(packRing(other))).to.equal(true);
  });
});
