import { expect } from 'chai';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../../fakes/until.js';
import { EngineRig } from './rig.js';
import { pythonSystem } from './systems.js';

const docs = fileURLToPath(new URL('../../../../docs/', import.meta.url));

describe('memory on request', function () {
  this.timeout(180_000);
  let rig: EngineRig;
  let folder: string;
  let image: string;

  before(async () => {
    rig = await EngineRig.make();
    // What the machine's keeper leaves to engines.
    const file = join(rig.node.dir, 'node.json');
    const config = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    writeFileSync(file, JSON.stringify({ ...config, engines: { memory_mb: 700 } }));
    await rig.restartNode('SIGTERM');
    folder = pythonSystem();
    cpSync(join(docs, 'examples/engine-client.py'), join(folder, 'engine-client.py'));
    image = rig.import(folder);
    for (const name of ['one', 'two']) await run(name);
    // Asks once, and then goes on whatever becomes of BMonitor.
    const script = [
      'import socket, time',
      's = socket.socket(socket.AF_UNIX); s.connect("/run/bmonitor/socket")',
      's.sendall(b\'{"do":"memory","mb":200}\\n\'); s.recv(1000); time.sleep(10000)',
    ].join('\n');
    const command = ['python3', '-c', script];
    await rig.run('kept', { image, command, memory_mb: 100, memory_most_mb: 200 });
    await until(async () => (await limit_mb('kept')) === 200);
  });
  after(async () => {
    await rig.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  async function run(name: string): Promise<void> {
    const command = ['python3', '/engine-client.py'];
    await rig.run(name, { image, command, memory_mb: 100, memory_most_mb: 300 });
    await ready(name);
  }

  async function ready(name: string): Promise<void> {
    await until(
      async () => !(await ask(name, 'ready').catch(() => 'engine-silent')).includes('engine-silent'),
    );
  }

  async function ask(name: string, text: string): Promise<string> {
    return String((await rig.ask({ type: 'engine.ask', name, of: 'worker-1', text }))['text']);
  }

  async function limit_mb(name: string): Promise<number> {
    const { usage } = (await rig.shown(name)) as { usage?: { memory_limit_bytes?: number } };
    return (usage?.memory_limit_bytes ?? 0) / 1024 / 1024;
  }

  it('is given within what the settings allow, and shown', async () => {
    expect(JSON.parse(await ask('one', 'memory'))).to.include({ memory_mb: 100, most_mb: 300 });
    expect(JSON.parse(await ask('one', 'memory 300'))).to.include({ memory_mb: 300 });
    expect(await limit_mb('one')).to.equal(300);
    expect(await ask('one', 'memory 301')).to.contain('its settings allow 300 MiB');
  });

  it('is refused beyond what the node has for all engines together', async () => {
    expect(await ask('two', 'memory 201')).to.contain('the node has 700 MiB');
    expect(JSON.parse(await ask('two', 'memory 200'))).to.include({ memory_mb: 200 });
  });

  it('is kept when BMonitor is killed', async () => {
    const { since_ms } = await rig.shown('kept');
    await rig.restartNode('SIGKILL');
    expect(await rig.is('kept', 'running')).to.include({ since_ms });
    expect(await limit_mb('kept')).to.equal(200);
  });

  it('can be given back, not below what is held, and then others may have it', async () => {
    // The documented client ends with its connection, and is started again: with what it was described with.
    for (const name of ['one', 'two']) await ready(name);
    await ask('one', 'memory 300');
    expect(await ask('two', 'memory 250')).to.contain('memory-refused');
    expect(await ask('one', 'memory 1')).to.contain('memory-refused');
    expect(JSON.parse(await ask('one', 'memory 100'))).to.include({ memory_mb: 100 });
    expect(JSON.parse(await ask('two', 'memory 250'))).to.include({ memory_mb: 250 });
  });

  it('begins anew with the next start of the engine', async () => {
    await rig.ask({ type: 'engine.restart', name: 'two', grace_s: 0 });
    await rig.is('two', 'running');
    expect(await limit_mb('two')).to.equal(100);
  });
});
