import { expect } from 'chai';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../../fakes/until.js';
import { EngineRig, type Shown } from './rig.js';
import { addProgram, pythonSystem } from './systems.js';

const docs = fileURLToPath(new URL('../../../../docs/', import.meta.url));
const page = readFileSync(join(docs, 'engine-interface.md'), 'utf8');

type Speaking = Shown & { readonly beat_ms?: number; readonly error?: { readonly text: string } };

describe('the engines’ own interface', function () {
  this.timeout(180_000);
  let rig: EngineRig;
  let folder: string;
  let image: string;

  before(async () => {
    rig = await EngineRig.make();
    folder = pythonSystem();
    addProgram(folder, process.execPath, 'bin/node');
    cpSync(join(docs, 'examples/engine-client.py'), join(folder, 'engine-client.py'));
    const [, script = ''] = /```js\n(.*?)```/su.exec(page) ?? [];
    writeFileSync(join(folder, 'engine-client.mjs'), script);
    image = rig.import(folder);
    await rig.run('quiet', { image, command: ['sleep', '100000'] });
    await rig.is('quiet', 'running');
  });
  after(async () => {
    await rig.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  const spoken = (name: string): Promise<Speaking> => rig.shown(name);

  for (const [name, command] of [
    ['python', ['python3', '/engine-client.py']],
    ['javascript', ['node', '/engine-client.mjs']],
  ] as const)
    it(`hears the documented client in ${name}: heartbeat, error, own settings, and the answer to a question`, async () => {
      await rig.run(name, { image, command, memory_mb: 200, user: '33:33' });
      await until(async () => (await spoken(name)).beat_ms !== undefined);
      expect((await spoken(name)).error?.text).to.equal(`${name} has 200 MiB`);
      const said = await rig.ask({ type: 'engine.ask', name, of: 'worker-1', text: 'how are you' });
      expect(said).to.deep.equal({ text: 'worker-1 heard how are you' });
    });

  it('says that nobody of a name is there', async () => {
    const asked = await rig
      .ask({ type: 'engine.ask', name: 'python', of: 'worker-9', text: '' })
      .catch((error: unknown) => String(error));
    expect(asked).to.contain('engine-silent');
  });

  it('is there again after BMonitor was killed, for engines that went on', async () => {
    await rig.restartNode('SIGKILL');
    await rig.is('quiet', 'running');
    const script = [
      'import socket, json',
      's = socket.socket(socket.AF_UNIX); s.connect("/run/bmonitor/socket")',
      's.sendall(b\'{"do":"config","id":7}\\n\'); print(s.makefile().readline())',
    ].join('\n');
    const door = await rig.door({ type: 'engine.exec', name: 'quiet', command: ['python3', '-c', script] });
    await door.ended;
    const said = JSON.parse(door.text()) as { config: { name: string }; id: number };
    expect(said.id).to.equal(7);
    expect(said.config.name).to.equal('quiet');
  });

  it('closes on what is too long or says nothing known, and goes on hearing others', async () => {
    const script = [
      'import socket',
      'def said(words):',
      '    s = socket.socket(socket.AF_UNIX); s.connect("/run/bmonitor/socket"); got = b""',
      '    try:',
      '        s.sendall(words)',
      '        while True:',
      '            more = s.recv(65536)',
      '            if not more: break',
      '            got += more',
      '    except OSError: pass',
      '    print(got.decode())',
      'said(b"x" * 10_000_000)',
      'said(b"[" * 60_000 + b"\\n")',
      'said(b"\\xff\\xfe\\n")',
      'said(b\'{"do":"beat","more":1}\\n\')',
      'said(b\'{"do":"answer","ask":"other","text":""}\\n{"do":"__proto__"}\\n\')',
    ].join('\n');
    const door = await rig.door({ type: 'engine.exec', name: 'quiet', command: ['python3', '-c', script] });
    await door.ended;
    expect(door.code(), door.text()).to.equal(0);
    expect(door.text()).to.contain('is not known here').and.to.contain('nobody waits for it');
    expect(door.text()).not.to.contain('"ok":true');
    // The documented client ended with its connection, and was started again as its policy says.
    await until(async () => (await spoken('python')).beat_ms !== undefined);
    const said = await rig.ask({ type: 'engine.ask', name: 'python', of: 'worker-1', text: 'still there' });
    expect(said).to.deep.equal({ text: 'worker-1 heard still there' });
  });
});
