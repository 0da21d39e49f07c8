import { expect } from 'chai';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync, mkdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from '../../../protocol/commands.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import { digestOfLayout, ociLayout, skopeoArchive, tarOf } from './oci.js';
import { EngineRig, smallSystem } from './rig.js';
import { until } from '../../fakes/until.js';

describe('an image', function () {
  this.timeout(120_000);
  let rig: EngineRig;
  const folders: string[] = [];
  let system: string;
  let layout: string;

  function folder(files: Readonly<Record<string, string>>): string {
    const made = mkdtempSync(join(tmpdir(), 'bmonitor-layer-'));
    folders.push(made);
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(made, path, '..'), { recursive: true });
      writeFileSync(join(made, path), text);
    }
    return made;
  }

  before(async () => {
    rig = await EngineRig.make();
    system = smallSystem();
    folders.push(system);
    const second = folder({ 'etc/motd': 'of the second layer\n', 'etc/.wh.group': '' });
    layout = ociLayout([tarOf(system), tarOf(second)], {
      Entrypoint: ['/bin/sh', '-c'],
      Cmd: ['id; cat /etc/motd; ls /etc; echo $GREETING; exec sleep 600'],
      Env: ['GREETING=hello'],
      User: 'web',
    });
    folders.push(layout, `${layout}.tar`);
  });
  after(async () => {
    await rig.remove();
    for (const one of folders) rmSync(one, { recursive: true, force: true });
  });

  it('in the OCI layout is taken in on the machine by its own digest', () => {
    expect(rig.import(layout)).to.equal(digestOfLayout(layout));
  });

  it('in an archive of skopeo’s is sent by a console, and runs with its layers, user, command and variables', async () => {
    const { digest } = await rig.send(skopeoArchive(layout), 'oci-archive');
    expect(digest).to.equal(digestOfLayout(layout));
    await rig.run('web', { image: digest, restart: 'never' });
    await until(async () => (await rig.logs('web')).includes('hello'));
    const logs = await rig.logs('web');
    expect(logs)
      .to.match(/uid=33\(web\)/u)
      .and.to.include('of the second layer');
    expect(logs).to.not.match(/ group$/mu);
    await rig.ask({ type: 'engine.kill', name: 'web' });
  });

  it('that is cut on the way is not stored', async () => {
    const archive = readFileSync(skopeoArchive(layout));
    const cut = join(tmpdir(), `bmonitor-cut-${process.pid}.tar`);
    folders.push(cut);
    writeFileSync(cut, archive.subarray(0, archive.length / 2));
    let why = '';
    await rig.send(cut, 'oci-archive').catch((error: unknown) => (why = String(error)));
    expect(why).to.match(/image-refused/u);
  });

  it('that was altered where it is stored starts nothing', async () => {
    const digest = rig.import(layout);
    const stored = join(rig.dataFolder, 'images', digest.slice('sha256:'.length), 'rootfs', 'etc', 'motd');
    appendFileSync(stored, 'and somebody else’s\n');
    await rig.ask({ type: 'engine.start', name: 'web' });
    await until(async () => (await rig.shown('web')).lastFailure?.code === 'image-damaged');
    rig.import(layout);
    await rig.ask({ type: 'engine.restart', name: 'web' });
    await rig.is('web', 'running');
  });

  it('says what an engine wrote since a moment', async () => {
    const all = await rig.logs('web');
    const last = all.trim().split('\n').at(-1) ?? '';
    const since = Date.parse(`${last.slice(0, 23)}Z`);
    expect((await rig.logs('web', since)).trim().split('\n').at(-1)).to.equal(last);
    expect(await rig.logs('web', Date.now() + 60_000)).to.equal('');
  });

  it('and its engines are the tenant’s alone: the landlord sees numbers, and may say nothing', async () => {
    const landlord = await rig.node.session();
    const asked = async (command: Command): Promise<Result<unknown>> => {
      const reply = await landlord.request({ command, to: rig.node.to });
      return reply.ok ? (reply.value.error ? refuse('internal') : ok(reply.value.result)) : reply;
    };
    const usage = await asked({ type: 'engines.usage' });
    const { levels } = (usage.ok ? usage.value : {}) as { readonly levels: readonly object[] };
    expect(levels[1]).to.include({ level: 1, engines: 1, running: 1 });
    expect(JSON.stringify(levels)).to.not.match(/web|sha256|sleep|GREETING/u);
    for (const command of [
      { type: 'engines.read' },
      { type: 'images.read' },
      { type: 'engine.read', name: 'web' },
      { type: 'engine.logs', name: 'web' },
      { type: 'engine.kill', name: 'web' },
    ] as const) {
      const answer = await asked(command);
      expect(answer.ok ? 'done' : answer.refusal.code, command.type).to.equal('right-missing');
    }
    landlord.close('done');
  });

  it('whose digest is another than what was asked for is refused', async () => {
    let why = '';
    await rig.ask({ type: 'engine.put', name: 'other', settings: { image: `sha256:${'0'.repeat(64)}` } });
    await rig.ask({ type: 'engine.start', name: 'other' });
    await until(async () => {
      why = (await rig.shown('other')).lastFailure?.code ?? '';
      return why !== '';
    });
    expect(why).to.equal('image-missing');
  });
});
