import { expect } from 'chai';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../fakes/until.js';
import { root } from '../../../scripts/run/root.js';
import { EngineRig, smallSystem } from './rig.js';

const unit = readFileSync(join(root, 'packaging/bmonitor.service'), 'utf8');

/** With no more rights than the packaged unit leaves to BMonitor, and its mask for new files. */
function asUnit(): readonly string[] {
  const [, named = ''] = /^CapabilityBoundingSet=(.*)$/m.exec(unit) ?? [];
  const [, umask = ''] = /^UMask=(.*)$/m.exec(unit) ?? [];
  const set = named.split(' ').map((word) => `+${word.replace(/^CAP_/, '').toLowerCase()}`);
  const rights = [`--bounding-set=${['-all', ...set].join(',')}`, '--inh-caps=-all', '--no-new-privs'];
  return ['sh', '-c', `umask ${umask} && exec "$@"`, 'sh', 'setpriv', ...rights];
}

describe('an engine of a BMonitor with the rights of its packaged unit', function () {
  this.timeout(120_000);
  let rig: EngineRig;
  let image: string;
  let folder: string;

  before(async () => {
    rig = await EngineRig.make(asUnit());
    folder = smallSystem();
    image = rig.import(folder);
  });
  after(async () => {
    await rig.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it('starts as another user too, is watched, and has its rights and no more', async () => {
    await rig.run('one', { image, command: ['sh', '-c', 'grep CapBnd /proc/self/status; exec sleep 600'] });
    await rig.is('one', 'running');
    await rig.run('two', {
      image,
      user: '1000:1000',
      command: ['sh', '-c', 'id -u && cat /etc/hosts && exec sleep 600'],
    });
    await rig.is('two', 'running');
    expect((await rig.shown('two')).restarts).to.equal(0);
    await until(async () => (await rig.logs('one')).includes('CapBnd:\t00000000800405fb'));
    await until(async () => (await rig.logs('two')).includes('1000'));
  });

  it('is entered by a command', async () => {
    const inside = await rig.door({ type: 'engine.exec', name: 'one', command: ['sh', '-c', 'id -u'] });
    await inside.ended;
    expect([inside.code(), inside.text().trim()]).to.deep.equal([0, '0']);
  });

  it('is paused, goes on, and is ended when it takes too much memory', async () => {
    await rig.ask({ type: 'engine.pause', name: 'one' });
    await rig.is('one', 'paused');
    await rig.ask({ type: 'engine.resume', name: 'one' });
    await rig.is('one', 'running');
    const command = ['sh', '-c', 'head -c 200m /dev/zero | tail'];
    await rig.run('three', { image, command, memory_mb: 16, restart: 'never' });
    expect((await rig.is('three', 'stopped')).lastEnd).to.deep.include({ how: 'out-of-memory' });
  });

  it('does not notice that BMonitor ends and comes back', async () => {
    const before = await rig.is('one', 'running');
    await rig.restartNode('SIGKILL');
    expect((await rig.is('one', 'running')).since_ms).to.equal(before.since_ms);
  });
});
