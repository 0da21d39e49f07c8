import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { thumbprint } from '../../crypto/rsa.js';
import { freePort, RealConsole } from '../fakes/console.js';
import { RealNode } from '../fakes/real-node.js';
import { until } from '../fakes/until.js';

interface Leases {
  readonly leases: readonly { readonly node: string; readonly state: string; readonly lease: string }[];
}

/** The owner leases to a hardware operator, that one to a software operator, that one back to the owner as the user. */
describe('four levels on one node, each with a console of its own, behind the owner’s gateway', () => {
  const owner = new RealConsole('console-cluster');
  const hardware = new RealConsole('console-cluster');
  const software = new RealConsole('console-cluster');
  const user = new RealConsole('console-app');
  const consoles = [owner, hardware, software, user];
  const cardOf = (console: RealConsole): string => join(console.dir, 'console.pub.json');
  let node: RealNode;
  let pin: string;

  before(async () => {
    owner.init('--gateway', '127.0.0.1', '--gateway-port', String(await freePort()));
    for (const console of consoles.slice(1)) console.init();
    for (const console of consoles) await console.run();
    node = await RealNode.make('node-1', cardOf(owner), '--gateway', owner.must('gateway', 'address').trim());
    pin = thumbprint(node.card.identity);
    await node.run();
    // Nobody can reach the node but through the gateway.
    const card = owner.file('dials-out.json', JSON.stringify({ ...node.card, ways: [] }));
    owner.must('nodes', 'add', card);
    await until(() => stateOf(owner) === 'good');
  });
  after(async () => {
    for (const console of consoles) await console.remove();
    await node.remove();
  });

  const stateOf = (console: RealConsole): string => {
    const { nodes } = JSON.parse(console.must('nodes', 'list', '--json')) as {
      nodes: { name: string; state: string }[];
    };
    return nodes.find(({ name }) => name === 'node-1')?.state ?? 'none';
  };
  const all = 'hardware,engines,volumes,keys,boundaries,lease';

  /** From one holder to the next, each taking it with its own console; the pin came on paper. */
  const leaseOn = async (from: RealConsole, to: RealConsole, rights: string): Promise<void> => {
    const file = to.file('hand-over.json', '');
    rmSync(file);
    await until(() => {
      const granted = from.cli(
        'leases',
        'grant',
        'node-1',
        '--customer',
        'next',
        '--to',
        cardOf(to),
        '--for',
        to === user ? '10d' : '30d',
        '--rights',
        rights,
        '--out',
        file,
      );
      if (granted.status !== 0 && !/already-leased/.test(granted.err)) return false;
      return from.cli('leases', 'hand-over', 'next', '--out', file).status === 0;
    });
    const group = to === user ? 'lease' : 'leases';
    const told = to.must(group, 'take', file, '--pin', `node-1=${pin}`);
    expect(told).to.include('node-1: taken').and.include('proved:');
    await until(() => stateOf(to) === 'good');
  };
  const runningLease = (console: RealConsole): string => {
    const { leases } = JSON.parse(console.must('leases', 'list', '--json')) as Leases;
    return leases.find(({ state }) => state === 'taken' || state === 'granted')?.lease ?? '';
  };

  it('lets a console-cluster take a lease, and remember it', async () => {
    owner.must('keys', 'make', 'node-1');
    await leaseOn(owner, hardware, all);
    const { leases } = JSON.parse(hardware.must('leases', 'taken', '--json')) as {
      leases: { node: string; state: string; identity: string; level: number }[];
    };
    expect(leases).to.have.length(1);
    expect(leases[0]).to.include({ node: 'node-1', state: 'taken', identity: 'pinned', level: 1 });
  });

  it('keeps the consoles of those it leases on to out of the gateway until they are admitted', async () => {
    const file = software.file('early.json', '');
    await until(
      () =>
        hardware.cli(
          'leases',
          'grant',
          'node-1',
          '--to',
          cardOf(software),
          '--for',
          '20d',
          '--rights',
          all,
          '--out',
          file,
          '--customer',
          'next',
        ).status === 0,
    );
    expect(software.cli('leases', 'take', file, '--pin', `node-1=${pin}`).out).to.match(
      /node-1: not taken: (gateway-stranger|unreachable)/,
    );
    const guests = owner.must('customers', 'admit', 'next', cardOf(software), cardOf(user));
    expect(guests.trim().split('\n')).to.have.length(2);
    const listed = owner.must('customers', 'list');
    expect(listed.match(/guest/g)).to.have.length(2);
    // By this, or by itself before: a taking that had no answer is asked again.
    expect(software.cli('leases', 'take', file, '--pin', `node-1=${pin}`).out).to.match(
      /node-1: (taken|not taken: already-there)/,
    );
    await until(() => stateOf(software) === 'good');
  });

  it('reaches the fourth level, whose data needs the keys of all four', async () => {
    await leaseOn(software, user, 'engines,volumes,keys,boundaries');
    expect(user.must('keys', 'prove', 'node-1')).to.match(/only the 4 keys together/);
    for (const [level, console] of consoles.entries())
      expect(JSON.parse(console.must('nodes', 'status', 'node-1', '--json'))).to.include({ level });
  });

  it('lets each level narrow what is below it, and none reach beyond what is above', async () => {
    const open = {
      otherwise: 'deny',
      filters: [{ action: 'allow', direction: 'in', protocol: 'tcp', ports: [443] }],
    };
    const wide = hardware.file('wide.json', JSON.stringify(open));
    expect(hardware.cli('filters', 'check', wide, 'node-1', '--json').status).to.be.oneOf([0, 1]);
    writeFileSync(wide, JSON.stringify({ ...open, filters: [] }));
    hardware.must('filters', 'apply', 'node-1', wide);
    const narrow = user.file('own.json', JSON.stringify(open));
    const refused = user.cli('filters', 'apply', 'node-1', narrow);
    expect(refused.status).to.equal(1);
    expect(refused.err + refused.out).to.match(/filters-exceed/);
  });

  it('ends all levels below in one step when the owner ends the first lease, with a receipt for each', async () => {
    const lease = runningLease(owner);
    const shown = owner.cli('leases', 'end', 'node-1');
    expect(shown.out).to.include('level 1').and.include('level 2').and.include('level 3');
    owner.must('leases', 'end', 'node-1', '--destroy', lease);
    for (const below of [hardware, software, user]) await until(() => stateOf(below) !== 'good');
    expect(stateOf(owner)).to.equal('good');
    expect(JSON.parse(owner.must('nodes', 'status', 'node-1', '--json'))).to.include({ levels: 1 });
    const receipts = owner.must('leases', 'receipts', lease).trim().split('\n');
    expect(receipts.length).to.be.at.least(2);
  });

  it('sends the guests away with the customer they belong to', () => {
    expect(owner.must('customers', 'admit', 'next')).to.include('no guests');
    const { status } = user.cli('nodes', 'status', 'node-1');
    expect(status).to.equal(1);
  });
});
