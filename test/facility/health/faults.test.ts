import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { RealConsole } from '../../fakes/console.js';
import { Bed, distPath, until, type BedProcess, type Place, type ProcessClock } from '../bed/index.js';

interface Health {
  readonly subjects: readonly {
    readonly subject: string;
    readonly items: readonly { readonly item: string; readonly state: string; readonly reading: string }[];
  }[];
}
interface Events {
  readonly events: readonly { readonly kind: string; readonly fields: Readonly<Record<string, unknown>> }[];
}

/** The controller of the processors, where a quota can be set. */
const controller = '/sys/fs/cgroup/cpu';

describe('the health of a live node, as its console is told it, while its machine gets faults', function () {
  this.timeout(400_000);
  let bed: Bed;
  let place: Place;
  let router: Place;
  let node: BedProcess;
  let clock: ProcessClock;
  let dir: string;
  const desk = new RealConsole('console-cluster');
  const group = join(controller, `bmonitor-health-${process.pid}`);
  const cli = [process.execPath, distPath('bmonitor/cli/index.js')];
  const desked = (...words: string[]): string[] => [
    process.execPath,
    distPath('console-cluster/cli/index.js'),
    '--dir',
    desk.dir,
    ...words,
  ];

  before(async () => {
    mkdirSync(group);
    bed = await Bed.create({ nodes: ['node', 'gateway'] });
    place = bed.place('node');
    router = bed.place('gateway');
    clock = await place.clock();
    desk.init();
    dir = join(await place.dir(), 'node');
    const named = [
      '--landlord',
      join(desk.dir, 'console.pub.json'),
      '--name',
      'node-1',
      '--key-bits',
      '2048',
    ];
    const net = ['--listen', '0.0.0.0:7443', '--interface', place.nic, '--console', bed.console.ipv4];
    const own = ['--address', `${place.ipv4}/16`, '--router', router.ipv4, '--keys', 'file'];
    const url = ['--url', `wss://${place.ipv4}:7443`];
    await place.must([...cli, 'init', '--dir', dir, ...named, ...net, ...own, ...url]);
    // Its processors are watched from its first moment on, and what it starts stays outside the quota of others.
    const inGroup = ['sh', '-c', `echo $$ >${group}/cgroup.procs; exec "$@"`, 'sh'];
    node = place.spawn([...inGroup, ...cli, 'run', '--dir', dir], { env: clock.env });
    await node.says(/"event":"node.ready"/);
    bed.console.spawn(desked('run', '--passphrase-file', desk.passphrase));
    await until(async () => (await bed.console.run(desked('nodes', 'list'))).code === 0);
    await bed.console.must(desked('nodes', 'add', join(dir, 'card-0.json')));
    await until(async () => (await bed.console.must(desked('nodes', 'list'))).includes(' good '));
  });
  after(async () => {
    await bed.remove();
    await desk.remove();
    await until(() => {
      try {
        rmdirSync(group);
        return true;
      } catch {
        return false;
      }
    });
  });

  /** What `hardware health` says of one item, with its exit code. */
  async function item(subject: string, name: string): Promise<{ code: number | null; state: string }> {
    const { code, stdout } = await bed.console.run(desked('hardware', 'health', 'node-1', '--json'));
    if (stdout === '') return { code, state: 'none' };
    const { subjects = [] } = JSON.parse(stdout) as Partial<Health>;
    const items = subjects.find((one) => one.subject === subject)?.items ?? [];
    return { code, state: items.find((one) => one.item === name)?.state ?? 'none' };
  }
  /** States that events told of an item, oldest first. */
  async function told(name: string): Promise<readonly unknown[]> {
    const { events } = JSON.parse(
      await bed.console.must(desked('nodes', 'events', 'node-1', '--json')),
    ) as Events;
    return events.flatMap(({ kind, fields }) =>
      kind === 'health.changed' && fields['item'] === name ? [fields['state']] : [],
    );
  }
  const quota = 'held back by a quota';

  it('is good where it can be read while nothing is wrong', async () => {
    await until(async () => (await item('network', 'router')).state === 'good', { bound_ms: 90_000 });
    expect((await item('network', `${place.nic} carrier`)).state).to.equal('good');
    expect((await item('processors', quota)).state).to.equal('good');
    expect((await item('clock', 'jump')).state).to.equal('good');
    expect((await item('memory', 'pattern')).state).to.equal('good');
  });

  it('is bad when its router is gone, its processors are held back and its clock jumps, and its console is told each', async () => {
    await router.link.cut();
    writeFileSync(join(group, 'cpu.cfs_quota_us'), '20000');
    await clock.jump(3_600_000);
    await until(async () => (await item('network', 'router')).state === 'bad', { bound_ms: 150_000 });
    await until(async () => (await item('processors', quota)).state === 'bad', { bound_ms: 150_000 });
    await until(async () => (await told('jump')).includes('bad'), { bound_ms: 90_000 });
    expect((await item('processors', quota)).code).to.equal(1);
    expect((await item('network', `${place.nic} carrier`)).state).to.equal('good');
    expect(await bed.console.must(desked('nodes', 'show', 'node-1'))).to.match(/"network": "bad"/);
    writeFileSync(join(group, 'cpu.cfs_quota_us'), '-1');
  });

  it('is bad when its link is down, which stands on the machine at once, and the console hears when it is up again', async () => {
    const looked = async (): Promise<number> => {
      const said = JSON.parse(await place.must([...cli, 'status', '--dir', dir, '--json'])) as {
        readonly health: { readonly at: number; readonly network: string };
      };
      expect(said.health.network).to.equal('bad');
      return said.health.at;
    };
    await place.link.cut();
    const before = await looked();
    await until(async () => (await looked()) > before, { bound_ms: 150_000, step_ms: 500 });
    await place.link.restore();
    await until(async () => (await told(`${place.nic} carrier`)).includes('bad'), { bound_ms: 90_000 });
  });
});
