import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { RealConsole } from '../fakes/console.js';
import { RealNode } from '../fakes/real-node.js';
import { until } from '../fakes/until.js';

const bmonitor = fileURLToPath(new URL('../../bmonitor/cli/index.js', import.meta.url));
const isGood = (console: RealConsole, node: string) => (): boolean =>
  console.cli('nodes', 'status', node).status === 0;

describe('a lease whose pair the landlord replaces, and that its holder gives back', function () {
  this.timeout(300_000);
  const landlord = new RealConsole('console-cluster');
  const acme = new RealConsole('console-app');
  let node: RealNode;

  before(async () => {
    for (const console of [landlord, acme]) {
      console.init();
      await console.run();
    }
    node = await RealNode.make('node-1', join(landlord.dir, 'console.pub.json'));
    await node.run();
    landlord.must('nodes', 'add', node.cardFile);
    await until(isGood(landlord, 'node-1'), 120_000);
    landlord.must('customers', 'set', 'acme', join(acme.dir, 'console.pub.json'));
    landlord.must('leases', 'grant', 'node-1', '--customer', 'acme', '--until', '90d');
    const file = landlord.file('acme.json', '');
    landlord.must('leases', 'hand-over', 'acme', '--out', file);
    acme.must('lease', 'take', file);
    await until(isGood(acme, 'node-1'), 120_000);
  });
  after(async () => {
    for (const console of [landlord, acme]) await console.remove();
    await node.remove();
  });

  it('shows the landlord what another pair would destroy, gets one only by that name, and is taken anew', async () => {
    const shown = landlord.cli('leases', 'new-pair', 'node-1');
    expect(shown.status).to.equal(1);
    const [, lease = ''] = /--destroy (\S+)/.exec(shown.out) ?? [];
    expect(shown.out)
      .to.include(`the key to all data of the lease ${lease}`)
      .and.include('acme would have to');
    const wrong = landlord.cli('leases', 'new-pair', 'node-1', '--json', '--destroy', 'A'.repeat(22));
    expect(wrong.status).to.equal(1);
    expect(wrong.err).to.include('destroys-not-named').and.include(lease);
    expect(isGood(acme, 'node-1')(), 'nothing was destroyed').to.equal(true);
    const done = landlord.must('leases', 'new-pair', 'node-1', '--destroy', lease);
    expect(done)
      .to.match(new RegExp(`ended .*${lease}`))
      .and.match(/ granted /);
    expect(landlord.cli('leases', 'new-pair', 'node-2').err).to.match(/^lease-unknown/);
    const receipts = landlord.must('leases', 'receipts', lease).trim().split('\n');
    const file = landlord.file('replaced.jws', `${receipts.at(-2)}\n`);
    const words = [bmonitor, 'receipt', 'verify', file, '--node', node.cardFile];
    expect(execFileSync(process.execPath, words, { encoding: 'utf8' }))
      .to.include(`the lease ${lease} of level 1 has ended`)
      .and.include(`destroyed data ${lease}`);
    // The pair that the customer had opens nothing any more.
    await until(() => !isGood(acme, 'node-1')());
    const again = landlord.file('again.json', '');
    landlord.must('leases', 'hand-over', 'acme', '--out', again);
    acme.must('lease', 'take', again);
    await until(isGood(acme, 'node-1'), 120_000);
  });

  it('shows what that destroys, does it only by its name, and leaves a receipt that holds offline for who was there', () => {
    const shown = acme.cli('lease', 'give-back', 'node-1');
    expect(shown.status).to.equal(1);
    const [, lease = ''] = /--destroy (\S+)/.exec(shown.out) ?? [];
    expect(shown.out).to.include(`the key to all data of the lease ${lease}`);
    const wrong = acme.cli('lease', 'give-back', 'node-1', '--destroy', 'A'.repeat(22));
    expect(wrong.err).to.match(/^destroys-not-named/);
    expect(acme.must('lease', 'give-back', 'node-1', '--destroy', lease)).to.include('given back');
    expect(acme.cli('lease', 'give-back', 'node-1').err).to.match(/^lease-unknown/);
    const last = acme.must('lease', 'receipts-of', 'node-1').trim().split('\n').at(-1) ?? '';
    const file = acme.file('end.jws', `${last}\n`);
    const words = [bmonitor, 'receipt', 'verify', file, '--node', node.cardFile];
    const said = execFileSync(process.execPath, words, { encoding: 'utf8' });
    expect(said).to.include(`the lease ${lease} of level 1 has ended`).and.include(`destroyed data ${lease}`);
  });

  it('is shown as over at the landlord’s without a word of its own, with the receipt of that', async () => {
    const leases = (): readonly { lease: string; state: string }[] =>
      (
        JSON.parse(landlord.must('leases', 'list', '--json')) as {
          leases: { lease: string; state: string }[];
        }
      ).leases;
    await until(() => leases().every(({ state }) => state === 'ended'), 60_000);
    const given = leases().map(({ lease }) => landlord.must('leases', 'receipts', lease));
    for (const [at, { lease }] of leases().entries()) {
      const file = landlord.file(`over-${at}.jws`, given[at] ?? '');
      const words = [bmonitor, 'receipt', 'verify', file, '--node', node.cardFile];
      expect(execFileSync(process.execPath, words, { encoding: 'utf8' })).to.include(
        `the lease ${lease} of level 1 has ended`,
      );
    }
    landlord.must('leases', 'grant', 'node-1', '--customer', 'acme', '--until', '90d');
  });

  it('is taken by itself when the node that was away is back, and the console’s own key waits for that', async () => {
    const file = landlord.file('late.json', '');
    landlord.must('leases', 'hand-over', 'acme', '--out', file);
    await node.stop();
    const tried = acme.cli('lease', 'take', file);
    expect(tried.status).to.equal(1);
    expect(tried.out).to.include('asked again until it answers');
    const key = acme.must('key', 'rotate', '--status').split(' ')[3];
    acme.must('key', 'rotate');
    await until(() =>
      acme.must('key', 'rotate', '--status').includes('waits for the answer to the taking of node-1'),
    );
    await node.run();
    await until(isGood(acme, 'node-1'), 120_000);
    await until(() => {
      const shown = acme.cli('key', 'rotate', '--status');
      return shown.out.includes('is not being replaced') && !shown.out.includes(key ?? '-');
    }, 120_000);
    await until(isGood(acme, 'node-1'), 120_000);
  });
});
