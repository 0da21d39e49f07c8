import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { FleetConsole } from '../../../scripts/fleet/console.js';
import { Fleet } from '../../../scripts/fleet/fleet.js';
import { RealConsole } from '../../fakes/console.js';
import { TemporaryFolder } from '../../fakes/folder.js';
import { value } from '../../fakes/results.js';
import { until } from '../../fakes/until.js';

const nodes = 10;

describe('console-cluster on a disk that becomes full', function () {
  this.timeout(180_000);
  const folder = new TemporaryFolder('full');
  let disk: string;
  let ballast: string;
  let landlord: RealConsole;
  let keeper: FleetConsole;
  let fleet: Fleet;

  before(async () => {
    disk = join(folder.path, 'disk');
    ballast = join(disk, 'ballast');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', disk]);
    landlord = new RealConsole('console-cluster', join(disk, 'console'));
    keeper = FleetConsole.at(landlord.dir);
    const times = ['--ask-every', '500', '--answer-within', '4000', '--late', '6000', '--unknown', '9000'];
    const key = landlord.init(...times);
    await landlord.run();
    fleet = await Fleet.make({ nodes, heartbeat_ms: 200, landlord: key, levelPairs: 2 });
    await fleet.listen();
    await keeper.add(fleet.nodes.map((node) => fleet.card(node)));
    await until(async () => ((await keeper.states())['good'] ?? 0) === nodes);
  });
  after(async () => {
    await landlord.remove();
    await fleet?.close();
    execFileSync('umount', [disk]);
    folder.remove();
  });

  const get = async (path: string): Promise<{ readonly status: number; readonly text: string }> => {
    const answer = await fetch(`${keeper.client.url}${path}`);
    return { status: answer.status, text: await answer.text() };
  };
  const place = async (rack: string): Promise<string> => {
    const set = await keeper.client.call('PUT', '/api/v1/nodes/fleet-00000/place', { rack, spare: false });
    return set.ok ? 'done' : set.refusal.code;
  };
  /** All that is left, to the last page. */
  const fill = (): void => {
    for (const size of [1024 * 1024, 4096])
      for (;;)
        try {
          writeFileSync(ballast, Buffer.alloc(size), { flag: 'a' });
        } catch {
          break;
        }
  };

  it('says that it is not ready and refuses what it cannot keep, while the nodes stay good', async () => {
    expect(await place('r1')).to.equal('done');
    expect((await get('/readyz')).status).to.equal(200);
    fill();
    let refused = '';
    // What was set aside for the log of the database may still take some.
    for (let turn = 0; refused === '' && turn < 5000; turn++) {
      const said = await place(`r${turn % 2}-${'x'.repeat(40)}`);
      if (said !== 'done') refused = said;
    }
    expect(refused).to.equal('store-write-failed');
    await until(async () => (await get('/readyz')).status !== 200);
    const { status, text } = await get('/readyz');
    expect(status).to.equal(507);
    expect(text).to.include('store-write-failed').and.include('Make room');
    expect((await get('/healthz')).status, 'it lives').to.equal(200);
    const said = await landlord.cliLater('nodes', 'list');
    expect(said.status, said.err).to.equal(0);
    expect(said.out.split('\n').filter((line) => line.includes(' good ')).length).to.equal(nodes);
    const metrics = value(await keeper.client.text('/metrics'));
    expect(metrics).to.include('console_ready 0\n');
    expect(Number(/^console_audit_lost_total ([0-9]+)$/m.exec(metrics)?.[1])).to.be.greaterThan(0);
    expect(landlord.log).to.include('audit-lost');
  });

  it('works again once there is room, without being started anew, and has lost nothing that it acknowledged', async () => {
    rmSync(ballast);
    await until(async () => (await get('/readyz')).status === 200);
    expect(await place('r-after')).to.equal('done');
    await landlord.stop('SIGKILL');
    await landlord.run();
    const again = FleetConsole.at(landlord.dir);
    await until(async () => ((await again.states())['good'] ?? 0) === nodes);
    const node = value(await again.client.call('GET', '/api/v1/nodes/fleet-00000'));
    expect(node['place']).to.include({ rack: 'r-after' });
  });
});
