import { expect } from 'chai';
import { signBy, utf8 } from '../../../crypto/jose.js';
import { makePair, type Pair } from '../../../crypto/rsa.js';
import { signerOf } from '../../../crypto/signer.js';
import { newId } from '../../../protocol/request.js';
import { receiptTyp, type Receipt } from '../../../protocol/receipt.js';
import { openSold, sealSold } from '../../../protocol/sold.js';
import { refusalIn, value } from '../../fakes/results.js';

describe('the proof that a node was handed on', function () {
  this.timeout(60_000);
  const lease = newId();
  let node: Pair;
  let seller: Pair;
  let buyer: Pair;
  let next: Pair;
  before(async () => {
    [node, seller, buyer, next] = (await Promise.all([2048, 2048, 2048, 2048].map(makePair))) as [
      Pair,
      Pair,
      Pair,
      Pair,
    ];
  });

  const receipt = async (about: Partial<Receipt>, by = node): Promise<string> => {
    const whole: Receipt = {
      v: 1,
      kind: 'receipt',
      act: 'end',
      node: node.public.id,
      keyStore: 'file',
      name: 'node-1',
      generation: 7,
      time: 1,
      level: 0,
      lease,
      made: [],
      destroyed: [],
      ...about,
    };
    return signBy(signerOf(by), { typ: receiptTyp, kid: by.public.id }, utf8(JSON.stringify(whole)));
  };
  const transfer = async (more: Partial<Receipt> = {}, by = node): Promise<string> =>
    receipt(
      {
        act: 'transfer',
        lease: newId(),
        holder: buyer.public.id,
        made: [{ kind: 'pair', id: next.public.id }],
        ...more,
      },
      by,
    );
  const opened = async (receipts: readonly string[], key = next) => {
    const proof = { v: 1, receipts, key: key.public.jwk };
    return openSold(seller, node.public, await sealSold(seller.public, proof), lease);
  };

  it('holds when the node signed both: that the lease ended, and whose the node is now', async () => {
    const sold = value(await opened([await receipt({}), await transfer()]));
    expect(sold.holder).to.equal(buyer.public.id);
    expect(sold.key).to.deep.equal(next.public.jwk);
  });

  it('does not hold for another lease, another change, another key, another console, or by another’s signature', async () => {
    const end = await receipt({});
    const codes = await Promise.all([
      opened([await receipt({ lease: newId() }), await transfer()]),
      opened([await receipt({ level: 1 }), await transfer()]),
      opened([end, await transfer({ generation: 8 })]),
      opened([end]),
      opened([await transfer()]),
      opened([end, await receipt({ act: 'transfer', made: [{ kind: 'pair', id: next.public.id }] })]),
      opened([end, await transfer()], buyer),
      opened([end, await transfer({}, seller)]),
    ]);
    expect(codes.map((one) => refusalIn(one).code)).to.deep.equal([
      ...Array<string>(6).fill('wrong-lease'),
      'bad-signature',
      'wrong-node',
    ]);
    const proof = { v: 1, receipts: [end, await transfer()], key: next.public.jwk };
    const others = await sealSold(buyer.public, proof);
    expect(refusalIn(await openSold(seller, node.public, others, lease)).code).to.equal('wrong-console');
    expect(refusalIn(await openSold(seller, node.public, 'A.B.C.D.E', lease)).code).to.equal('malformed');
    expect(refusalIn(await openSold(seller, node.public, 'A'.repeat(70_000), lease)).code).to.equal(
      'too-large',
    );
  });
});
