import { expect } from 'chai';
import { makePair, publicKeyFromJwk, type PublicJwk } from '../../crypto/rsa.js';
import { newId } from '../../protocol/request.js';
import { refusalIn, value } from '../fakes/results.js';
import { NodeProcess } from './node-process.js';

function keyOf(result: unknown) {
  const { pair } = result as { pair: { jwk: PublicJwk } };
  const key = publicKeyFromJwk(pair.jwk);
  if (!key) throw new Error('the node named a key that is none');
  return key;
}

describe('a lease whose taking was not heard of', function () {
  this.timeout(60_000);
  let node: NodeProcess;
  before(async () => {
    node = await NodeProcess.make();
    await node.start();
  });
  after(() => node.remove());

  it('is answered once more under the pair of before, also after a kill, and under no other command; then that pair is gone', async () => {
    const landlord = await node.session();
    const tenant = await makePair(2048);
    const roster = [{ key: tenant.public.jwk, name: 'office', role: 'administrator' as const }];
    const until = Math.floor(Date.now() / 1000) + 3600;
    const grant = { type: 'lease.grant' as const, to: roster, rights: ['keys' as const], until };
    const granted = value(await landlord.request({ command: grant, to: node.to })).result;
    const { lease } = granted as { lease: string };
    const before = { level: 1, lease, key: keyOf(granted) };
    const take = { command: { type: 'lease.take' as const, roster, key: true }, to: before, jti: newId() };

    let session = await node.session(tenant);
    const first = value(await session.request(take));
    await node.kill();
    await node.start();
    session = await node.session(tenant);
    const again = value(await session.request(take));
    expect(again.again).to.equal(true);
    expect(again.result).to.deep.equal(first.result);
    expect(refusalIn(await session.request({ command: { type: 'status' }, to: before })).code).to.equal(
      'wrong-node',
    );
    expect(refusalIn(await session.request({ ...take, jti: newId() })).code).to.equal('wrong-node');

    const after = { level: 1, lease, key: keyOf(again.result) };
    expect(value(await session.request({ command: { type: 'status' }, to: after })).result).to.include({
      lease,
    });
    expect(refusalIn(await session.request(take)).code).to.equal('wrong-node');
    session.close('done');
  });
});
