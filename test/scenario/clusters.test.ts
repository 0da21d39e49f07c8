import { join } from 'node:path';
import { expect } from 'chai';
import { RealConsole } from '../fakes/console.js';
import { RealNode } from '../fakes/real-node.js';
import { until } from '../fakes/until.js';

interface Boundary {
  readonly node: string;
  readonly cluster: string | null;
  readonly state: string;
  readonly version: number;
}
interface Outcome {
  readonly taken: readonly string[];
  readonly behind: readonly string[];
}

describe('clusters and their boundaries', function () {
  this.timeout(400_000);
  const landlord = new RealConsole('console-cluster');
  const nodes: RealNode[] = [];
  const names = ['node-1', 'node-2', 'node-3'];
  const web = ['198.51.100.0/24', 'alder', '--service', 'https', '--reason', 'public web'];

  before(async () => {
    landlord.init();
    await landlord.run();
    for (const name of names) {
      const node = await RealNode.make(name, join(landlord.dir, 'console.pub.json'));
      nodes.push(node);
      await node.run();
      landlord.must('nodes', 'add', node.cardFile);
    }
    await allGood();
  });
  after(async () => {
    await landlord.remove();
    for (const node of nodes) await node.remove();
  });

  const json = (...args: string[]): unknown => JSON.parse(landlord.must(...args, '--json'));
  const refused = (...args: string[]): string => {
    const { status, err } = landlord.cli(...args, '--json');
    const { code } = (JSON.parse(err) as { error: { code: string } }).error;
    expect(status, args.join(' ')).to.equal(code === 'bad-input' ? 2 : 1);
    return code;
  };
  const good = (name: string): boolean =>
    (json('nodes', 'list') as { nodes: { name: string; state: string }[] }).nodes.find(
      (node) => node.name === name,
    )?.state === 'good';
  const allGood = async (): Promise<void> => {
    for (const name of names) await until(() => good(name));
  };
  const boundaries = (): readonly Boundary[] =>
    (json('boundaries', 'list') as { boundaries: readonly Boundary[] }).boundaries;
  const stateOf = (name: string): string => boundaries().find(({ node }) => node === name)?.state ?? 'none';
  const filtersOf = (name: string): readonly { note?: string }[] =>
    (json('filters', 'show', name) as { set: { filters: readonly { note?: string }[] } }).set.filters;

  it('computes the boundary of every node from its cluster and pushes it', () => {
    expect(json('clusters', 'set', 'alder', 'node-1', 'node-2', '--dry')).to.include({ change: '' });
    expect(boundaries()).to.deep.equal([]);
    expect((json('clusters', 'set', 'alder', 'node-1', 'node-2') as Outcome).taken).to.deep.equal([
      'node-1',
      'node-2',
    ]);
    expect((json('clusters', 'set', 'birch', 'node-3') as Outcome).taken).to.deep.equal(['node-3']);
    expect(boundaries().map(({ node, cluster, state }) => `${node} ${cluster} ${state}`)).to.have.members([
      'node-1 alder in-step',
      'node-2 alder in-step',
      'node-3 birch in-step',
    ]);
  });

  it('keeps a node in one cluster', () => {
    expect(refused('clusters', 'set', 'birch', 'node-3', 'node-1')).to.equal('in-another-cluster');
    expect(refused('clusters', 'set', 'birch', 'node-9')).to.equal('not-found');
  });

  it('lets an exception through on both of its sides, with its reason', () => {
    json('exceptions', 'allow', ...web);
    json(
      'exceptions',
      'allow',
      'birch',
      '192.0.2.1',
      '--protocol',
      'tcp',
      '--port',
      '5432',
      '--reason',
      'backup',
    );
    expect(filtersOf('node-1')).to.have.length(1);
    expect(filtersOf('node-1')[0]).to.deep.include({
      direction: 'in',
      peers: ['198.51.100.0/24'],
      service: 'https',
    });
    expect(filtersOf('node-3')[0]).to.deep.include({ direction: 'out', peers: ['192.0.2.1'], ports: [5432] });
    expect(landlord.must('boundaries', 'picture')).to.include('198.51.100.0/24').and.to.include('public web');
    expect(refused('exceptions', 'allow', 'alder', 'cedar', '--reason', 'x')).to.equal('not-found');
    expect(
      refused('exceptions', 'allow', 'alder', 'birch', '--service', 'no-such', '--reason', 'x'),
    ).to.equal('bad-input');
  });

  it('is taken by all nodes or by none', async () => {
    const file = landlord.file('set.json', JSON.stringify({ otherwise: 'deny', filters: [] }));
    // A change that waits for its confirmation: this node refuses every other one.
    landlord.must('filters', 'apply', 'node-2', file, '--confirm-within', '600');
    await until(() => stateOf('node-2') === 'drifted');
    const before = filtersOf('node-1');
    expect(refused('exceptions', 'allow', 'alder', '203.0.113.0/24', '--reason', 'x')).to.equal(
      'boundary-drifted',
    );
    expect(
      refused('exceptions', 'allow', 'alder', '203.0.113.0/24', '--reason', 'x', '--over-drift'),
    ).to.equal('boundary-refused');
    expect(filtersOf('node-1')).to.deep.equal(before);
    expect((json('exceptions', 'list') as { exceptions: unknown[] }).exceptions).to.have.length(2);
    await until(() => stateOf('node-1') === 'in-step');
    const { version } = json('filters', 'show', 'node-2') as { version: number };
    landlord.must('filters', 'undo', 'node-2', String(version));
    await until(() => stateOf('node-2') === 'in-step');
  });

  it('shows what somebody changed by hand, overwrites it only when told, and shows that it did', async () => {
    const file = landlord.file('set.json', JSON.stringify({ otherwise: 'deny', filters: [] }));
    landlord.must('filters', 'apply', 'node-3', file);
    await until(() => stateOf('node-3') === 'drifted');
    expect(filtersOf('node-3')).to.have.length(0);
    landlord.must('boundaries', 'push', 'node-3');
    expect(stateOf('node-3')).to.equal('in-step');
    expect(filtersOf('node-3')).to.have.length(1);
  });

  it('leaves a node that is away with what it had, shows it, and brings it into step when it is back', async () => {
    await nodes[1]?.stop();
    await until(() => !good('node-2'));
    const outcome = json('exceptions', 'allow', 'alder', '203.0.113.0/24', '--reason', 'updates') as Outcome;
    expect(outcome).to.deep.include({ taken: ['node-1'], behind: ['node-2'] });
    expect(stateOf('node-2')).to.equal('behind');
    await nodes[1]?.run();
    await until(() => stateOf('node-2') === 'in-step');
    expect(filtersOf('node-2')).to.have.length(2);
  });

  it('ends an exception by itself', async () => {
    const until_s = Math.ceil(Date.now() / 1000) + 15;
    const when = new Date(until_s * 1000).toISOString();
    json('exceptions', 'allow', 'birch', '203.0.113.9', '--reason', 'for a moment', '--until', when);
    expect(filtersOf('node-3')).to.have.length(2);
    await until(() => filtersOf('node-3').length === 1);
    await until(() => stateOf('node-3') === 'in-step');
  });

  it('is whole after the console was killed in the middle of a change, wherever that was', async () => {
    let cut = 0;
    for (const [word, after_ms] of [
      ['boundary-trying', 0],
      ['boundary-trying', 10],
      ['boundary-trying', 50],
      ['boundary-committed', 0],
      ['boundary-committed', 10],
    ] as const) {
      cut += 1;
      const before = landlord.log.length;
      const asked = landlord.cliLater(
        'exceptions',
        'allow',
        'alder',
        `203.0.113.${cut}`,
        '--reason',
        `cut ${cut}`,
      );
      await until(() => landlord.log.includes(word, before));
      await new Promise((resolve) => setTimeout(resolve, after_ms));
      await landlord.stop('SIGKILL');
      await asked;
      await landlord.run();
      await allGood();
      await until(() => ['node-1', 'node-2'].every((name) => stateOf(name) === 'in-step'), 90_000);
      const wanted =
        (json('exceptions', 'list') as { exceptions: { from: string }[] }).exceptions.filter(
          ({ from }) => from === 'alder',
        ).length + 1;
      for (const name of ['node-1', 'node-2']) expect(filtersOf(name), name).to.have.length(wanted);
    }
  });

  it('closes a node that leaves its cluster', () => {
    json('clusters', 'set', 'alder', 'node-1');
    expect(filtersOf('node-2')).to.have.length(0);
    expect(landlord.cli('clusters', 'dissolve', 'alder').status).to.equal(1);
    json('clusters', 'dissolve', 'alder', '--confirm', 'alder');
    expect(filtersOf('node-1')).to.have.length(0);
  });
});
