import { expect } from 'chai';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../fakes/until.js';
import { EngineRig, smallSystem } from './rig.js';

function mountsUnder(folder: string): readonly string[] {
  return readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .filter((line) => line.includes(folder));
}

describe('an engine', function () {
  this.timeout(120_000);
  let rig: EngineRig;
  let image: string;
  let folder: string;

  before(async () => {
    rig = await EngineRig.make();
    folder = smallSystem();
    image = rig.import(folder);
  });
  after(async () => {
    await rig.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is started, asked to end, and started again', async () => {
    const script = 'trap "exit 3" TERM; echo ready; while :; do sleep 0.1; done';
    await rig.run('one', { image, command: ['sh', '-c', script] });
    await rig.is('one', 'running');
    // It is running before it has said what it does when it is asked to end.
    await until(async () => (await rig.logs('one')).includes('ready'));
    await rig.ask({ type: 'engine.stop', name: 'one' });
    expect((await rig.is('one', 'stopped')).lastEnd).to.deep.include({ how: 'exit', code: 3 });
    await rig.ask({ type: 'engine.start', name: 'one' });
    await rig.is('one', 'running');
    await rig.ask({ type: 'engine.kill', name: 'one' });
    expect((await rig.is('one', 'stopped')).lastEnd).to.deep.include({ how: 'signal', signal: 9 });
  });

  it('is root in itself and nobody outside, with nothing of the machine in sight', async () => {
    const look =
      'id -u; cat /proc/self/uid_map; grep CapEff /proc/self/status; grep Seccomp: /proc/self/status; ls /sys; ls /dev; hostname; exec sleep 600';
    await rig.run('two', { image, command: ['sh', '-c', look] });
    await rig.is('two', 'running');
    expect(rig.running().map(({ status }) => status)).to.deep.equal(['running']);
  });

  it('is paused and goes on', async () => {
    await rig.ask({ type: 'engine.pause', name: 'two' });
    await rig.is('two', 'paused');
    await rig.ask({ type: 'engine.resume', name: 'two' });
    await rig.is('two', 'running');
  });

  for (const signal of ['SIGTERM', 'SIGKILL'] as const)
    it(`does not notice that BMonitor ends by ${signal} and comes back`, async () => {
      const before = await rig.is('two', 'running');
      const pids = rig.running().map(({ pid }) => pid);
      await rig.restartNode(signal);
      const after = await rig.is('two', 'running');
      expect(after.since_ms).to.equal(before.since_ms);
      expect(rig.running().map(({ pid }) => pid)).to.deep.equal(pids);
    });

  it('that ends by itself is started again', async () => {
    await rig.run('three', { image, command: ['sh', '-c', 'exit 5'] });
    await until(async () => (await rig.shown('three')).restarts > 2);
    expect((await rig.shown('three')).lastEnd).to.deep.include({ how: 'exit', code: 5 });
    await rig.ask({ type: 'engine.stop', name: 'three' });
  });

  it('that takes more memory than it has is ended, and that is told apart', async () => {
    await rig.run('four', {
      image,
      command: ['sh', '-c', 'head -c 200m /dev/zero | tail'],
      memory_mb: 16,
      restart: 'never',
    });
    expect((await rig.is('four', 'stopped')).lastEnd).to.deep.include({ how: 'out-of-memory' });
  });

  it('that is removed leaves nothing behind', async () => {
    await rig.ask({ type: 'engine.remove', name: 'two' });
    const engines = join(rig.dataFolder, 'engines');
    for (const name of ['one', 'three', 'four']) await rig.ask({ type: 'engine.remove', name });
    expect((await rig.ask({ type: 'engines.read' }))['engines']).to.deep.equal([]);
    await until(() => readdirSync(engines).length === 0 && rig.running().length === 0);
    expect(mountsUnder(rig.runFolder)).to.have.length(1);
  });
});
