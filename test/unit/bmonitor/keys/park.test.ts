import { expect } from 'chai';
import { changeRing, instead, newKey, type KeyRing } from '../../../../bmonitor/keys/ring.js';
import type { Chain } from '../../../../bmonitor/keys/wrap.js';
import { makePair } from '../../../../crypto/rsa.js';
import { firstRing } from '../../../../bmonitor/keys/ring.js';
import { packRing, unpackRing } from '../../../../bmonitor/keys/pack.js';

const landlord = { lease: 'a', symmetric: 'ka', status: 'active' } as const;
const active: Chain = [landlord, { lease: 'b', symmetric: 'kb', status: 'active' }];
const dark: Chain = [landlord, { lease: 'b', symmetric: 'kb', status: 'dark' }];

describe('the keys of a lease that goes dark', () => {
  let ring: KeyRing;
  before(async () => {
    const first = firstRing({ tls: await makePair(2048), pairs: new Map(), pool: [] }, 'a');
    ring = changeRing(
      first,
      [
        { kind: 'make-symmetric', id: 'ka' },
        { kind: 'make-data', lease: 'b' },
        { kind: 'make-symmetric', id: 'kb' },
        { kind: 'new-salt' },
      ],
      active,
    );
  });

  it('are closed, K and data key, and nobody else’s', () => {
    const closed = changeRing(ring, [], dark);
    expect([...closed.symmetric.keys()]).to.deep.equal(['ka']);
    expect([...closed.data.keys()]).to.deep.equal(['a']);
    expect([...closed.parked.keys()]).to.deep.equal(['kb']);
  });

  it('come back with an extension, also after the node was started again', () => {
    const closed = changeRing(ring, [], dark);
    const restarted = unpackRing(packRing(closed), dark);
    expect(restarted && [...restarted.data.keys()]).to.deep.equal(['a']);
    const back = restarted && changeRing(restarted, [], active);
    const [before, after] = [ring.data.get('b'), back?.data.get('b')];
    expect(before && after?.equals(before)).to.equal(true);
    expect(back?.parked.size).to.equal(0);
  });

  it('need their share again after an extension, where the level chose one', () => {
    const share = newKey();
    const shared = changeRing(ring, [{ kind: 'set-share', id: 'kb', share }], active);
    const closed = changeRing(shared, [], dark);
    expect(closed.parked.size).to.equal(0);
    const back = changeRing(closed, [], active);
    expect(back.data.has('b')).to.equal(false);
    const unlocked = changeRing(back, [{ kind: 'unlock', id: 'kb', share }], active);
    expect(unlocked.data.has('b')).to.equal(true);
  });

  it('can be destroyed while they are closed', () => {
    const closed = changeRing(ring, [], dark);
    const gone = changeRing(
      closed,
      [
        { kind: 'destroy-symmetric', id: 'kb' },
        { kind: 'destroy-data', lease: 'b' },
      ],
      [landlord],
    );
    for (const keys of [gone.symmetric, gone.parked, gone.wrapped, gone.outer, gone.data])
      expect([...keys.keys()].some((id) => id === 'b' || id === 'kb')).to.equal(false);
  });
});

describe('a ring that takes the place of another', () => {
  it('leaves nothing in memory of the keys that were destroyed or replaced, and all of those that stay', async () => {
    const first = firstRing({ tls: await makePair(2048), pairs: new Map(), pool: [] }, 'a');
    const made = changeRing(
      first,
      [
        { kind: 'make-symmetric', id: 'ka' },
        { kind: 'make-data', lease: 'b' },
        { kind: 'make-symmetric', id: 'kb' },
      ],
      active,
    );
    const gone = [made.symmetric.get('kb'), made.data.get('b'), made.outer.get('b'), made.salt];
    const bytes = gone.map((secret) => secret?.use((held) => held));
    expect(bytes.every((held) => held?.some((byte) => byte !== 0))).to.equal(true);
    const next = changeRing(
      made,
      [{ kind: 'destroy-symmetric', id: 'kb' }, { kind: 'destroy-data', lease: 'b' }, { kind: 'new-salt' }],
      [landlord],
    );
    expect(instead(made, next)).to.equal(next);
    expect(bytes.every((held) => held?.every((byte) => byte === 0))).to.equal(true);
    for (const secret of gone) expect(() => secret?.use(() => 0)).to.throw('wiped');
    for (const secret of [next.symmetric.get('ka'), next.data.get('a'), next.outer.get('a'), next.salt])
      expect(secret?.use((held) => held.some((byte) => byte !== 0))).to.equal(true);
  });
});
