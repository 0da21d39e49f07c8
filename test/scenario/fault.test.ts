import { mkdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { refusalIn, value } from '../fakes/results.js';
import { NodeProcess } from './node-process.js';
import { rosterOf } from './tenancy.js';
import { makePair } from '../../crypto/rsa.js';

describe('a node that cannot make a change durable', function () {
  this.timeout(60_000);
  let node: NodeProcess;
  before(async () => {
    node = await NodeProcess.make();
    await node.start();
  });
  after(() => node.remove());

  it('says so, ends itself, and after its start the change never was', async () => {
    const inTheWay = join(node.dir, 'root.secret.new');
    await mkdir(inTheWay);
    const session = await node.session();
    const until = Math.floor(Date.now() / 1000) + 3600;
    const to = rosterOf(await makePair(2048));
    const ended = node.ended();
    const grant = await session.request({
      command: { type: 'lease.grant', to, rights: ['keys'], until },
      to: node.to,
    });
    expect(['internal', 'unreachable']).to.include(refusalIn(grant).code);
    expect(await ended).to.equal(1);
    expect(node.log.map((line) => line['event'])).to.include('core.fault');
    await rmdir(inTheWay);
    await node.start();
    const later = await node.session();
    const status = value(await later.request({ command: { type: 'status' }, to: node.to }));
    expect(status.result).to.include({ levels: 1 });
    later.close('done');
  });
});
