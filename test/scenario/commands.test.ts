import { expect } from 'chai';
import { makePair } from '../../crypto/rsa.js';
import { newId } from '../../protocol/request.js';
import { refusalIn, value } from '../fakes/results.js';
import { NodeProcess } from './node-process.js';

describe('a command on its way to a real node and back', function () {
  this.timeout(60_000);
  let node: NodeProcess;
  before(async () => {
    node = await NodeProcess.make();
    await node.start();
  });
  after(() => node.remove());

  it('asks for the status and reads it', async () => {
    const session = await node.session();
    const reply = value(await session.request({ command: { type: 'status' }, to: node.to }));
    expect(reply.result).to.include({ name: 'node-1', level: 0, status: 'active', keyStore: 'file' });
    session.close('done');
  });

  it('grants a lease, takes it, and ends it', async () => {
    const session = await node.session();
    const tenant = await makePair(2048);
    const roster = [{ key: tenant.public.jwk, name: 'office', role: 'administrator' as const }];
    const until = Math.floor(Date.now() / 1000) + 3600;
    const granted = value(
      await session.request({
        command: { type: 'lease.grant', to: roster, rights: ['engines', 'boundaries', 'keys'], until },
        to: node.to,
      }),
    );
    const { lease, pair } = granted.result as {
      lease: string;
      pair: { jwk: { kty: 'RSA'; n: string; e: string } };
    };
    const { publicKeyFromJwk } = await import('../../crypto/rsa.js');
    const key = publicKeyFromJwk(pair.jwk);
    if (!key) throw new Error('no key');
    const theirs = await node.session(tenant);
    const to = { level: 1, lease, key };
    expect(refusalIn(await theirs.request({ command: { type: 'history.verify' }, to })).code).to.equal(
      'lease-not-taken',
    );
    const taken = value(await theirs.request({ command: { type: 'lease.take', roster, key: true }, to }));
    expect(taken.result).to.have.property('symmetric');
    // The pair that the landlord saw opens nothing any more.
    expect(refusalIn(await theirs.request({ command: { type: 'status' }, to })).code).to.equal('wrong-node');
    const ended = value(await session.request({ command: { type: 'lease.end', lease }, to: node.to }));
    expect(ended.result).to.deep.include({ ended: [lease] });
    session.close('done');
    theirs.close('done');
  });

  it('acts once for an id, and gives the same answer again after a kill', async () => {
    const jti = newId();
    const rename = { command: { type: 'node.rename' as const, name: 'web-1' }, to: node.to, jti };
    const session = await node.session();
    const first = value(await session.request(rename));
    const again = value(await session.request(rename));
    expect(first.again).to.equal(false);
    expect(again.again).to.equal(true);
    expect(again.result).to.deep.equal(first.result);
    expect(again.head).to.deep.equal(first.head);
    await node.kill();
    await node.start();
    const later = await node.session();
    const after = value(await later.request(rename));
    expect(after.again).to.equal(true);
    expect(after.head).to.deep.equal(first.head);
    expect(
      refusalIn(await later.request({ ...rename, command: { type: 'node.rename', name: 'other' } })).code,
    ).to.equal('id-reused');
    later.close('done');
  });

  it('follows events without a gap', async () => {
    const session = await node.session();
    const lines: Record<string, unknown>[] = [];
    value(
      await session.request({
        command: { type: 'events.follow', after: 0 },
        to: node.to,
        onFrame: (plaintext) => {
          for (const line of Buffer.from(plaintext).toString().split('\n'))
            lines.push(JSON.parse(line) as Record<string, unknown>);
        },
      }),
    );
    for (let index = 0; index < 5; index += 1)
      value(await session.request({ command: { type: 'node.rename', name: `n${index}` }, to: node.to }));
    const { until } = await import('../fakes/until.js');
    await until(() => lines.some((line) => line['name'] === 'n4'));
    const seqs = lines.flatMap((line) => (typeof line['seq'] === 'number' ? [line['seq']] : []));
    expect(seqs).to.deep.equal(seqs.map((_, at) => at + 1));
    session.close('done');
  });
});
