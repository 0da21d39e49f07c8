import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { signBy, utf8 } from '../../../crypto/jose.js';
import { makePair, type Pair } from '../../../crypto/rsa.js';
import { signerOf } from '../../../crypto/signer.js';
import { blindnessTyp, verifyBlindness } from '../../../protocol/blindness.js';

const ids = ['A'.repeat(22), 'B'.repeat(21).concat('A')] as const;
const lease = 'C'.repeat(21).concat('A');
const [none, one, other, both] = [[], [ids[0]], [ids[1]], [...ids]] as const;
const tried = (...opening: readonly (readonly string[])[]) =>
  [none, one, other, both].map((chosen) => ({ with: chosen, opens: opening.includes(chosen) }));

describe('a proof of blindness', () => {
  const nonce = randomBytes(32).toString('base64url');
  let node: Pair;
  let stranger: Pair;
  before(async () => ([node, stranger] = await Promise.all([makePair(2048), makePair(2048)])));

  async function codeOf(more: object, by = node): Promise<string> {
    const proof = { v: 1, kind: 'blindness', node: node.public.id, keyStore: 'tpm', nonce, time: 1, lease };
    const whole = { ...proof, result: 'tried', keys: ids, trials: tried(both), ...more };
    const header = { typ: blindnessTyp, kid: by.public.id };
    const jws = await signBy(signerOf(by), header, utf8(JSON.stringify(whole)));
    const checked = await verifyBlindness(jws, node.public, { nonce, lease });
    return checked.ok ? checked.value.result : checked.refusal.code;
  }

  it('holds when every smaller choice of keys failed and all together opened', async () => {
    expect(await codeOf({})).to.equal('tried');
    expect(await codeOf({ result: 'no-key', keys: undefined, trials: undefined })).to.equal('no-key');
  });

  it('does not hold when a smaller choice opened, all did not, or one was not tried', async () => {
    expect(await codeOf({ trials: tried(both, one) })).to.equal('not-blind');
    expect(await codeOf({ trials: tried(both, none) })).to.equal('not-blind');
    expect(await codeOf({ trials: tried() })).to.equal('not-blind');
    expect(await codeOf({ trials: tried(both).slice(1) })).to.equal('not-blind');
    expect(await codeOf({ keys: [], trials: [] })).to.equal('not-blind');
  });

  it('is refused for another question, another lease, or by another node', async () => {
    expect(await codeOf({ nonce: randomBytes(32).toString('base64url') })).to.equal('replayed');
    expect(await codeOf({ lease: ids[0] })).to.equal('wrong-lease');
    expect(await codeOf({}, stranger)).to.equal('bad-signature');
  });
});
