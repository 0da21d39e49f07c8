import { expect } from 'chai';
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { EngineSettings } from '../../../protocol/engines.js';
import { until } from '../../fakes/until.js';
import { EngineRig, smallSystem } from './rig.js';

describe('folders that engines mount', function () {
  this.timeout(180_000);
  let rig: EngineRig;
  let image: string;
  let system: string;

  before(async () => {
    rig = await EngineRig.make();
    system = smallSystem();
    // An image that wants to lead what is mounted elsewhere.
    symlinkSync('../../../../../../../../tmp', join(system, 'srv', 'out'));
    image = rig.import(system);
  });
  after(async () => {
    await rig.remove();
    rmSync(system, { recursive: true, force: true });
  });

  const sleeps = (script: string, more: Partial<EngineSettings> = {}): EngineSettings => ({
    image,
    command: ['sh', '-c', `${script}; exec sleep 10000`],
    grace_s: 0,
    ...more,
  });
  const place = (name: string): string => join(rig.dataFolder, 'folders', name);
  const writes = async (file: string, text: string): Promise<void> =>
    until(() => existsSync(file) && readFileSync(file, 'utf8').trim() === text);
  async function folders(): Promise<readonly { name: string; bytes: number; engines: string[] }[]> {
    const said = await rig.ask({ type: 'folders.read' });
    return said['folders'] as { name: string; bytes: number; engines: string[] }[];
  }

  it('are shared by two engines with ids of their own, and written by who may', async () => {
    const mounts = [{ folder: 'pages', at: '/srv/pages' }];
    await rig.run('writer', sleeps('echo from-writer > /srv/pages/one', { mounts }));
    await writes(join(place('pages'), 'one'), 'from-writer');
    await rig.run(
      'reader',
      sleeps('cat /srv/www/one > /seen; echo x > /srv/www/two || echo refused; stat -c %u /srv/www/one', {
        mounts: [{ folder: 'pages', at: '/srv/www', readOnly: true }],
      }),
    );
    // Its two outputs come by two ways, in no order.
    const all = ['Read-only file system', 'stdout F refused', 'stdout F 0'];
    await until(async () => {
      const said = await rig.logs('reader');
      return all.every((words) => said.includes(words));
    });
    expect(existsSync(join(place('pages'), 'two'))).to.equal(false);
    const [{ uid }, listed] = [lstatSync(join(place('pages'), 'one')), await folders()];
    expect(uid).to.equal(0);
    expect(listed.map(({ name, engines }) => [name, ...engines.toSorted()])).to.deep.equal([
      ['pages', 'reader', 'writer'],
    ]);
  });

  it('keep what is in them over a reload, another description and the end of BMonitor', async () => {
    await rig.ask({ type: 'engine.reload', name: 'writer' });
    await rig.restartNode('SIGKILL');
    const { revision } = await rig.ask({ type: 'engine.read', name: 'writer' });
    const mounts = [{ folder: 'pages', at: '/data' }];
    const settings = sleeps('cat /data/one; echo anew > /data/three', { mounts });
    await rig.ask({ type: 'engine.put', name: 'writer', settings, expect: Number(revision) });
    await rig.ask({ type: 'engine.restart', name: 'writer' });
    await writes(join(place('pages'), 'three'), 'anew');
    expect(readFileSync(join(place('pages'), 'one'), 'utf8')).to.equal('from-writer\n');
  });

  it('are removed only by their name, and only when no engine names them', async () => {
    await rig.ask({ type: 'folder.remove', name: 'pages' }).then(
      () => expect.fail('it is in use'),
      (error: Error) => expect(error.message).to.include('folder-in-use'),
    );
    await rig.ask({ type: 'engine.remove', name: 'reader' });
    await rig.ask({ type: 'engine.remove', name: 'writer' });
    expect(existsSync(join(place('pages'), 'one'))).to.equal(true);
    await rig.ask({ type: 'folder.remove', name: 'pages' });
    await until(() => !existsSync(place('pages')));
    expect(await folders()).to.deep.equal([]);
  });

  it('lead nowhere else, whatever links the image or an engine lays', async () => {
    const secret = join(rig.dataFolder, 'beside');
    writeFileSync(secret, 'not for engines\n');
    const mounts = [
      { folder: 'inside', at: '/srv/out/inside' },
      { folder: 'plain', at: '/plain' },
    ];
    const lay = 'ln -s ../../beside /plain/up; ln -s /etc/shadow /plain/shadow; touch /srv/out/inside/here';
    await rig.run('layer', sleeps(lay, { mounts }));
    await until(() => existsSync(join(place('inside'), 'here')));
    await rig.run(
      'follower',
      sleeps('cat /plain/up /plain/shadow; ls /plain/..; echo done', { mounts: mounts.slice(1) }),
    );
    await until(async () => (await rig.logs('follower')).includes('done'));
    const seen = await rig.logs('follower');
    expect(seen).to.not.include('not for engines').and.not.include('root:');
    expect(seen).to.not.include('beside');
    expect(readdirSync('/tmp')).to.not.include('inside');
  });

  it('come with files of the description, which the engine reads and does not change', async () => {
    const files = [
      { at: '/etc/app.conf', text: 'mode = quiet\n' },
      { at: '/opt/deep/down', text: 'well\n' },
    ];
    await rig.run(
      'given',
      sleeps('cat /etc/app.conf /opt/deep/down; echo x > /etc/app.conf; echo done', { files, user: '33' }),
    );
    await until(async () => {
      const said = await rig.logs('given');
      return /mode = quiet[^]*well[^]*done/u.test(said) && /Read-only|Permission/u.test(said);
    });
  });

  for (const [title, settings] of [
    ['over what BMonitor itself puts there', { mounts: [{ folder: 'a', at: '/run/bmonitor/x' }] }],
    ['over the kernel’s own', { mounts: [{ folder: 'a', at: '/proc' }] }],
    ['over the whole image', { mounts: [{ folder: 'a', at: '//' }] }],
    ['twice at one place', { mounts: [{ folder: 'a', at: '/a' }], files: [{ at: '/a/', text: 'x' }] }],
    ['under a name that leads elsewhere', { mounts: [{ folder: '../engines', at: '/a' }] }],
    ['at a place that leads elsewhere', { mounts: [{ folder: 'a', at: '/a/../../b' }] }],
  ] as const)
    it(`are refused ${title}`, async () => {
      const put = rig.ask({ type: 'engine.put', name: 'bad', settings: { image, ...settings } });
      await put.then(
        () => expect.fail('it was taken'),
        (error: Error) => expect(error.message).to.include('bad-input'),
      );
    });
});
