import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { identityOf } from '../../protocol/node-card.js';
import { verifyReceipt, type Receipt } from '../../protocol/receipt.js';
import { refusalIn, value } from '../fakes/results.js';
import { cli, NodeProcess } from './node-process.js';
import { rent } from './tenancy.js';

const run = promisify(execFile);

describe('receipts of a node', function () {
  this.timeout(120_000);
  let node: NodeProcess;
  before(async () => {
    node = await NodeProcess.make();
    await node.start();
  });
  after(() => node.remove());

  async function ask(command: Parameters<Awaited<ReturnType<typeof node.session>>['request']>[0]['command']) {
    const session = await node.session();
    try {
      return value(await session.request({ command, to: node.to })).result as Record<string, unknown>;
    } finally {
      session.close('done');
    }
  }

  it('are given for grant, take, extend and end, and name the keys that were made and destroyed', async () => {
    const identity = value(identityOf(node.card));
    const tenancy = await rent(node);
    const read = async (from: Readonly<Record<string, unknown>>): Promise<Receipt> => {
      const [jws = ''] = from['receipts'] as readonly string[];
      return value(await verifyReceipt(jws, identity));
    };
    const grant = await read(tenancy.granted);
    expect(grant).to.include({ act: 'grant', lease: tenancy.lease, level: 1, keyStore: 'file' });
    expect(grant.made.map((key) => key.kind)).to.have.members(['pair', 'data', 'salt']);
    const take = await read(tenancy.taken);
    expect(take).to.include({ act: 'take', lease: tenancy.lease });
    const symmetric = tenancy.taken['symmetric'];
    expect(take.made).to.deep.include({ kind: 'symmetric', id: symmetric });
    // The pair that was handed over is kept for one repetition of the answer, and destroyed by the first message under the new one.
    const handedOver = { kind: 'pair', id: (tenancy.granted['pair'] as { id: string }).id };
    expect(take.destroyed).not.to.deep.include(handedOver);
    const theirs = await node.session(tenancy.console);
    value(await theirs.request({ command: { type: 'status' }, to: tenancy.to }));
    theirs.close('done');
    const kept = (await ask({ type: 'receipts.read', from: 1, count: 100 }))['receipts'] as readonly string[];
    const all = await Promise.all(kept.map(async (jws) => value(await verifyReceipt(jws, identity))));
    const settled = all.find((one) => one.act === 'keys' && one.lease === tenancy.lease);
    expect(settled?.destroyed).to.deep.equal([handedOver]);
    const until = Math.floor(Date.now() / 1000) + 7200;
    const extend = await read(await ask({ type: 'lease.extend', lease: tenancy.lease, until }));
    expect(extend).to.include({ act: 'extend', until });
    const end = await read(await ask({ type: 'lease.end', lease: tenancy.lease }));
    expect(end).to.include({ act: 'end', reason: 'ended', lease: tenancy.lease });
    expect(end.by).to.include({ command: 'lease.end', level: 0, console: node.landlord.public.id });
    expect(end.destroyed).to.deep.include.members([
      { kind: 'pair', id: tenancy.to.key.id },
      { kind: 'symmetric', id: symmetric },
      { kind: 'data', id: tenancy.lease },
      { kind: 'salt' },
    ]);
  });

  it('are kept across a kill, and say who ended a lease when the node did it by itself', async () => {
    const until_s = Math.floor(Date.now() / 1000) + 10;
    const tenancy = await rent(node, { until_s, destroyAfter: 0 });
    await node.kill();
    await node.start();
    const identity = value(identityOf(node.card));
    const { until } = await import('../fakes/until.js');
    // One connection for all the asking: a new one each time would be taken for a flood.
    const session = await node.session();
    await until(async () => {
      const read = { type: 'receipts.read' as const, from: 1, count: 100 };
      const { receipts } = value(await session.request({ command: read, to: node.to })).result ?? {};
      const all = await Promise.all(
        (receipts as readonly string[]).map(async (jws) => value(await verifyReceipt(jws, identity))),
      );
      const mine = all.filter((receipt) => receipt.lease === tenancy.lease).map((receipt) => receipt.act);
      const end = all.find((receipt) => receipt.lease === tenancy.lease && receipt.act === 'end');
      return mine.includes('grant') && mine.includes('take') && end?.reason === 'expired' && !end.by;
    });
    session.close('done');
  });

  it('are checked offline by anybody who has the node’s card, and by nobody with another', async () => {
    const { receipts } = await ask({ type: 'receipts.read', from: 1, count: 100 });
    const lines = receipts as readonly string[];
    expect(lines.length).to.be.greaterThan(3);
    const file = join(node.folder, 'receipts.jws');
    const card = join(node.dir, 'card-0.json');
    await writeFile(file, `${lines.join('\n')}\n`);
    const good = await run(process.execPath, [cli, 'receipt', 'verify', file, '--node', card]);
    expect(good.stdout).to.include('has ended').and.include('keeps its keys in a file');
    const verdict = async (content: string, by: string): Promise<number | undefined> => {
      await writeFile(file, content);
      const args = [cli, 'receipt', 'verify', file, '--node', by];
      return run(process.execPath, args).then(
        () => 0,
        (error: { code?: number }) => error.code,
      );
    };
    const [first = ''] = lines;
    const [head = '', body = '', signature = ''] = first.split('.');
    const other = Buffer.from(Buffer.from(body, 'base64url').toString().replace('"grant"', '"end"')).toString(
      'base64url',
    );
    expect(await verdict(first, card)).to.equal(0);
    expect(await verdict([head, other, signature].join('.'), card)).to.equal(1);
    const stranger = await NodeProcess.make();
    try {
      expect(await verdict(first, join(stranger.dir, 'card-0.json'))).to.equal(1);
      expect(refusalIn(await verifyReceipt(first, value(identityOf(stranger.card)))).code).to.equal(
        'wrong-node',
      );
    } finally {
      await stranger.remove();
    }
  });
});
