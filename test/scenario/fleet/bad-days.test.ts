import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'chai';
import { FleetConsole } from '../../../scripts/fleet/console.js';
import { Fleet } from '../../../scripts/fleet/fleet.js';
import type { SimulatedNode } from '../../../scripts/fleet/node.js';
import { resident_mb } from '../../../scripts/run/processor.js';
import { ProcessClock } from '../../facility/bed/clock.js';
import { RealConsole } from '../../fakes/console.js';
import { value } from '../../fakes/results.js';
import { until } from '../../fakes/until.js';

const day_ms = 86_400_000;

interface Shown {
  readonly state: string;
  readonly status: { readonly addresses?: readonly string[] } | null;
}

/** A real console with simulated nodes of which one or all do wrong, while the others are looked at. */
class Day {
  readonly landlord = new RealConsole('console-cluster');
  readonly keeper = FleetConsole.at(this.landlord.dir);
  #fleet: Fleet | undefined;
  clock: ProcessClock | undefined;

  async begin(nodes: number, withClock = false): Promise<void> {
    // Patience is long enough for a machine that does much else, and for a process that is both flood and bystanders.
    const times = ['--ask-every', '500', '--answer-within', '4000', '--late', '6000', '--unknown', '9000'];
    const key = this.landlord.init(...times);
    if (withClock) this.clock = await ProcessClock.make(this.landlord.dir, 'console');
    await this.landlord.run(this.clock?.env);
    this.#fleet = await Fleet.make({ nodes, heartbeat_ms: 200, landlord: key, levelPairs: 4 });
    await this.#fleet.listen();
    await this.keeper.add(this.fleet.nodes.map((node) => this.fleet.card(node)));
    await until(async () => (await this.good()) === nodes);
  }

  get fleet(): Fleet {
    if (!this.#fleet) throw new Error('the day has begun');
    return this.#fleet;
  }

  node(index: number): SimulatedNode {
    const node = this.fleet.nodes[index];
    if (!node) throw new Error(`there is no node ${index}`);
    return node;
  }

  async good(): Promise<number> {
    return (await this.keeper.states())['good'] ?? 0;
  }

  async call(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
    return value(await this.keeper.client.call(method, path, body));
  }

  async shown(name: string): Promise<Shown> {
    return (await this.call('GET', `/api/v1/nodes/${name}`)) as unknown as Shown;
  }

  async end(): Promise<void> {
    await this.landlord.remove();
    await this.#fleet?.close();
  }
}

describe('bad days of console-cluster', function () {
  this.timeout(180_000);
  let day: Day;
  beforeEach(() => void (day = new Day()));
  afterEach(async () => day.end());

  it('a node that lies about itself is shown as wrong, and is believed nothing that concerns others', async () => {
    await day.begin(6);
    for (const [name, members] of [
      ['alder', ['fleet-00000', 'fleet-00001']],
      ['birch', ['fleet-00002', 'fleet-00003']],
    ] as const)
      await day.call('PUT', `/api/v1/clusters/${name}`, { members });
    const boundary = async (node: string): Promise<unknown> =>
      (await day.call('GET', `/api/v1/boundaries/${node}`))['names'];
    const both = { 'cluster:alder': ['10.64.0.0', '10.64.0.1'] };
    await until(async () => isDeepStrictEqual(await boundary('fleet-00000'), both));
    // It is in alder, and says that it has an address of birch, everybody's and nobody's.
    day.fleet.fail(day.node(1), 'claim', 0);
    await until(async () => ((await day.shown('fleet-00001')).status?.addresses ?? []).length > 1);
    await until(() => day.landlord.log.includes('address-of-another'));
    expect(await boundary('fleet-00000')).to.deep.equal(both);
    expect(JSON.stringify(await boundary('fleet-00002'))).to.include('10.64.0.2');
    const members = ['fleet-00000', 'fleet-00001', 'fleet-00004'];
    const changed = await day.call('PUT', '/api/v1/clusters/alder', { members });
    expect(changed['taken'], 'its cluster can still be changed').to.deep.equal(members);
    // Another that says it is somebody else.
    day.fleet.fail(day.node(5), 'lie', 0);
    await until(async () => (await day.shown('fleet-00005')).state === 'wrong');
    expect((await day.shown('fleet-00000')).state).to.equal('good');
    expect((await day.shown('fleet-00005')).status?.addresses).to.deep.equal(['10.64.0.5']);
    const known = day.landlord.must('nodes', 'show', 'fleet-00005');
    expect(known).to.include('wrong-answer');
  });

  it('nodes that flood and that send rubbish are slowed down in their own connections; the others stay good and memory stays bounded', async () => {
    await day.begin(20);
    const running = readFileSync(join(day.landlord.dir, 'running.json'), 'utf8');
    const { pid } = JSON.parse(running) as { readonly pid: number };
    const before_mb = resident_mb(pid);
    for (const index of [0, 1]) day.fleet.fail(day.node(index), 'flood', 0);
    day.fleet.fail(day.node(2), 'rubbish', 0);
    await until(() => day.landlord.log.includes('node-floods'));
    const told = day.landlord.log.split('\n').find((line) => line.includes('node-floods')) ?? '';
    expect(
      [0, 1].some((index) => told.includes(day.node(index).id)),
      told,
    ).to.equal(true);
    expect(told).to.include('quarantine');
    // They go on for many turns of everybody's heartbeat; nobody else is ever anything but good.
    for (let look = 0; look < 40; look++) {
      const { nodes } = (await day.call('GET', '/api/v1/nodes?view=brief')) as unknown as {
        readonly nodes: readonly (Shown & { readonly name: string })[];
      };
      const others = nodes.filter(
        ({ name }) => !['fleet-00000', 'fleet-00001', 'fleet-00002'].includes(name),
      );
      expect(
        others.filter(({ state }) => state !== 'good').map(({ name, state }) => `${name} ${state}`),
      ).to.deep.equal([]);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(resident_mb(pid) - before_mb).to.be.lessThan(200);
  });

  it('hundreds of nodes that reconnect at once all come back: no event is lost or told twice, and a command to one that stayed is answered', async () => {
    const nodes = 200;
    await day.begin(nodes);
    const others = day.fleet.nodes.slice(1);
    for (const node of others) node.event('before', {});
    for (let storm = 0; storm < 3; storm++) {
      for (const node of others) day.fleet.fail(node, 'away', 0);
      const asked = await day.call('POST', '/api/v1/nodes/fleet-00000/status');
      expect((asked['status'] as { name: string }).name).to.equal('fleet-00000');
      // What happens while the console is away waits in the node.
      for (const node of others) node.event('meanwhile', { storm });
      for (const node of others) node.failing.delete('away');
      await until(async () => (await day.good()) === nodes, 60_000);
    }
    for (const node of [others[0], others[99], others[198]]) {
      const path = `/api/v1/nodes/${node?.name}/events`;
      const kinds = async (): Promise<string[]> =>
        ((await day.call('GET', path))['events'] as readonly { kind: string; seq: number }[]).map(
          ({ kind }) => kind,
        );
      await until(async () => (await kinds()).length >= 4);
      expect(await kinds(), node?.name).to.deep.equal(['before', 'meanwhile', 'meanwhile', 'meanwhile']);
      expect((await day.call('GET', path))['gap']).to.equal(null);
    }
    // No node has two, once the last of those that were given up have ended.
    await until(() => day.fleet.connections === nodes);
  });

  it('a clock that jumps makes no node unknown and no command stale; it is told, and the exceptions that ended by it are shown', async () => {
    await day.begin(6, true);
    await day.call('PUT', '/api/v1/clusters/alder', { members: ['fleet-00000', 'fleet-00001'] });
    for (const by_ms of [day_ms, -2 * day_ms, day_ms]) {
      day.landlord.log = '';
      await day.clock?.jump(by_ms);
      await until(() => day.landlord.log.includes('clock-jumped'));
      expect(day.landlord.log).to.include('time service');
      const asked = await day.call('POST', '/api/v1/nodes/fleet-00003/status');
      expect((asked['status'] as { name: string }).name).to.equal('fleet-00003');
      const exception = {
        from: { kind: 'cluster', name: 'alder' },
        to: { kind: 'outside', peers: ['192.0.2.1'] },
        reason: 'after a jump',
      };
      const changed = await day.call('POST', '/api/v1/exceptions', exception);
      expect(changed['taken']).to.deep.equal(['fleet-00000', 'fleet-00001']);
      expect(await day.good()).to.equal(6);
    }
    const metrics = value(await day.keeper.client.text('/metrics'));
    expect(metrics).to.include('console_clock_jumps_total 3\n');
  });

  it('a store whose disk altered it is not started with: the console says which, and what to do, and starts with a copy from before', async () => {
    await day.begin(3);
    await day.landlord.stop();
    const store = join(day.landlord.dir, 'store');
    const copy = `${day.landlord.dir}.copy`;
    cpSync(day.landlord.dir, copy, { recursive: true });
    for (const name of readdirSync(store).filter((one) => /\.(log|ldb)$/.test(one))) {
      const content = readFileSync(join(store, name));
      const place = content.indexOf('node-card');
      if (place !== -1) content[place + 2] = (content[place + 2] ?? 0) ^ 1;
      writeFileSync(join(store, name), content);
    }
    const refused = day.landlord.cli('run', '--passphrase-file', day.landlord.passphrase);
    expect(refused.status).to.equal(1);
    expect(refused.err)
      .to.include('store-unreadable')
      .and.include('to do')
      .and.include('restore it from a backup');
    rmSync(day.landlord.dir, { recursive: true });
    cpSync(copy, day.landlord.dir, { recursive: true });
    await day.landlord.run();
    await until(async () => (await FleetConsole.at(day.landlord.dir).states())['good'] === 3);
  });
});
