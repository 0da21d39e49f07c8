import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { RealConsole } from '../fakes/console.js';
import { isGood } from '../fakes/leased.js';
import { RealNode } from '../fakes/real-node.js';
import { until } from '../fakes/until.js';

interface Roster {
  readonly consoles: readonly { readonly id: string; readonly role: string }[];
}

describe('a customer with several consoles, facilities and a sub-tenant', function () {
  this.timeout(240_000);
  const north = new RealConsole('console-cluster');
  const south = new RealConsole('console-cluster');
  const app = new RealConsole('console-app');
  const colleague = new RealConsole('console-app');
  const tenant = new RealConsole('console-app');
  const consoles = [north, south, app, colleague, tenant];
  const nodes: RealNode[] = [];
  const cardOf = (it: RealConsole): string => join(it.dir, 'console.pub.json');
  const keyOf = (it: RealConsole): string => it.must('key', 'show').split(' ')[0] ?? '';

  async function facility(landlord: RealConsole, name: string, rights: string): Promise<string> {
    const node = await RealNode.make(name, cardOf(landlord), '--file-bytes', '268435456');
    nodes.push(node);
    await node.run();
    landlord.must('nodes', 'add', node.cardFile);
    await until(() => isGood(landlord, name));
    const file = landlord.file('hand-over.json', '');
    const to = ['--customer', 'acme', '--to', cardOf(app), '--for', '30d', '--rights', rights];
    landlord.must('leases', 'grant', name, ...to, '--out', file);
    return file;
  }

  before(async () => {
    for (const it of consoles) {
      it.init();
      await it.run();
    }
  });
  after(async () => {
    for (const it of consoles) await it.remove();
    for (const node of nodes) await node.remove();
  });

  it('holds nodes of two facilities that call theirs alike, under names of its own', async () => {
    const rights = 'engines,volumes,keys,boundaries,lease';
    app.must('lease', 'take', await facility(north, 'node-1', rights));
    const file = await facility(south, 'node-1', 'engines,volumes,keys,boundaries');
    const refused = app.cli('lease', 'take', file);
    expect(refused.err)
      .to.match(/^already-there: /)
      .and.include('--name node-1=NAME');
    const taken = app.must('lease', 'take', file, '--name', 'node-1=south-1');
    expect(taken).to.include('south-1: taken');
    for (const name of ['node-1', 'south-1']) await until(() => isGood(app, name));
    expect(app.must('groups', 'set', 'all', 'node-1', 'south-1')).to.be.a('string');
    expect(app.must('history', '--json')).to.include('"node":"south-1"');
  });

  it('gives a colleague a key of its own on all of them, with less rights, and takes it away again', async () => {
    const { nodes: none } = JSON.parse(colleague.must('nodes', 'list', '--json')) as { nodes: unknown[] };
    expect(none).to.have.length(0);
    app.must('roster', 'add', cardOf(colleague), 'node-1', 'south-1', '--role', 'developer');
    for (const name of ['node-1', 'south-1']) {
      colleague.must('nodes', 'add', colleague.file(`${name}.json`, app.must('nodes', 'card', name)));
      await until(() => isGood(colleague, name));
    }
    for (const name of ['node-1', 'south-1']) {
      const { consoles: all } = JSON.parse(app.must('roster', 'show', name, '--json')) as Roster;
      expect(all.map(({ id, role }) => [id, role])).to.have.deep.members([
        [keyOf(app), 'administrator'],
        [keyOf(colleague), 'developer'],
      ]);
    }
    const set = colleague.file('set.json', JSON.stringify({ otherwise: 'inherit', filters: [] }));
    expect(colleague.cli('filters', 'apply', 'node-1', set).err).to.match(/^[a-z-]+: /);
    expect(colleague.cli('roster', 'remove', keyOf(app), 'node-1').status).to.equal(1);
    app.must('roster', 'remove', keyOf(colleague), 'node-1', 'south-1');
    await until(() => !isGood(colleague, 'node-1') && !isGood(colleague, 'south-1'));
    expect(isGood(app, 'node-1')).to.equal(true);
  });

  it('cannot be left without a console by its own hand', () => {
    const last = app.cli('roster', 'remove', keyOf(app), 'node-1');
    expect(last.status).to.equal(1);
    expect(last.out + last.err).to.match(/last-/);
  });

  it('lets a node further to a sub-tenant, who speaks for its own level only, and ends that again by naming it', async () => {
    const file = app.file('sub.json', '');
    const to = ['--customer', 'sub', '--to', cardOf(tenant), '--for', '1d', '--rights', 'engines,keys'];
    const grant = app.cli('sublet', 'grant', 'node-1', ...to, '--out', file);
    expect(grant.status, grant.err + grant.out).to.equal(0);
    expect(tenant.must('lease', 'take', file)).to.include('only this console speaks for level 2');
    await until(() => isGood(tenant, 'node-1'));
    await until(() => /node-1 +sub +taken/.test(app.must('sublet', 'list')));
    const status = JSON.parse(tenant.must('nodes', 'status', 'node-1')) as { level: number };
    expect(status.level).to.equal(2);
    expect(app.cli('sublet', 'grant', 'south-1', ...to).out).to.include('refused');
    const shown = app.cli('sublet', 'end', 'node-1');
    expect(shown.status).to.equal(1);
    const [, lease = ''] = /sublet end node-1 --destroy (\S+)/.exec(shown.out) ?? [];
    app.must('sublet', 'end', 'node-1', '--destroy', lease);
    await until(() => !isGood(tenant, 'node-1'));
    expect(app.must('sublet', 'receipts', lease).trim().split('\n').length).to.be.greaterThan(1);
    expect(isGood(app, 'node-1')).to.equal(true);
  });

  it('is told when the landlord’s file promised more than the node grants', async () => {
    const file = await facility(south, 'node-2', 'engines,keys');
    const handOver = JSON.parse(readFileSync(file, 'utf8')) as {
      leases: { card: { name: string }; until: number; rights: string[] }[];
    };
    const leases = handOver.leases
      .filter(({ card }) => card.name === 'node-2')
      .map((lease) => ({ ...lease, until: lease.until + 86_400, rights: [...lease.rights, 'hardware'] }));
    writeFileSync(file, JSON.stringify({ ...handOver, leases }));
    const told = app.must('lease', 'take', file);
    expect(told).to.include('WARNING: the hand-over promised rights that the node did not grant: hardware');
    expect(told).to.match(/WARNING: the hand-over said until .+; the node ends the lease at /);
  });
});
