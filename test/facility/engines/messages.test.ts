import { expect } from 'chai';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { randomBytes } from 'node:crypto';
import type { EngineSettings } from '../../../protocol/engines.js';
import { Bed, until, type Place } from '../bed/index.js';
import { Commanded } from '../firewall/commanded.js';
import { importInto } from './rig.js';
import { sealedFor } from './sealed.js';
import { addProgram, pythonSystem } from './systems.js';

const docs = fileURLToPath(new URL('../../../../docs/', import.meta.url));
const boxPort = 7410;

interface Told {
  readonly message: string;
  readonly from: { readonly engine: string; readonly node: string; readonly address?: string };
}

describe('messages between engines', function () {
  this.timeout(600_000);
  let bed: Bed;
  let places: readonly [Place, Place];
  let nodes: readonly [Commanded, Commanded];
  let images: readonly [string, string];
  let folder: string;
  const versions = [1, 1];

  before(async () => {
    bed = await Bed.create({ nodes: ['node', 'other'] });
    places = [bed.place('node'), bed.place('other')];
    nodes = [await Commanded.at(places[0], 'network'), await Commanded.at(places[1], 'network')];
    folder = pythonSystem();
    addProgram(folder, process.execPath, 'bin/node');
    cpSync(join(docs, 'examples/engine-client.py'), join(folder, 'engine-client.py'));
    const page = readFileSync(join(docs, 'engine-interface.md'), 'utf8');
    writeFileSync(join(folder, 'engine-client.mjs'), /```js\n(.*?)```/su.exec(page)?.[1] ?? '');
    images = [importInto(nodes[0], folder), importInto(nodes[1], folder)];
    const set = { otherwise: 'deny', filters: [{ action: 'allow' }] };
    for (const node of nodes) await node.must(0, { type: 'filters.replace', expect: 0, set });
  });
  after(async () => {
    for (const node of nodes) {
      const { engines } = (await node.must(1, { type: 'engines.read' })) as { engines: { name: string }[] };
      for (const { name } of engines) await node.must(1, { type: 'engine.remove', name });
      await node.close();
    }
    await bed.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  async function run(
    at: 0 | 1,
    name: string,
    language: 'python' | 'javascript',
    messages: EngineSettings['messages'],
  ): Promise<void> {
    const command = language === 'python' ? ['python3', '/engine-client.py'] : ['node', '/engine-client.mjs'];
    const settings = { image: images[at], command, memory_mb: 200, ...(messages ? { messages } : {}) };
    await nodes[at].must(1, { type: 'engine.put', name, settings });
    await nodes[at].must(1, { type: 'engine.start', name });
    await until(
      async () => (await nodes[at].must(1, { type: 'engine.read', name }))['beat_ms'] !== undefined,
    );
  }

  async function ask(at: 0 | 1, name: string, text: string): Promise<string> {
    const said = await nodes[at].must(1, { type: 'engine.ask', name, of: 'worker-1', text });
    return String(said['text']);
  }

  async function told(at: 0 | 1, name: string): Promise<readonly Told[]> {
    return JSON.parse(await ask(at, name, 'messages')) as readonly Told[];
  }

  async function setSecret(at: 0 | 1, name: string, value: Buffer): Promise<void> {
    const sealed = await sealedFor(nodes[at], name, value);
    await nodes[at].must(1, { type: 'secret.set', name, value: sealed });
  }

  async function tenantFilters(at: 0 | 1, filters: readonly object[]): Promise<void> {
    const { version } = await nodes[at].must(1, {
      type: 'filters.replace',
      expect: versions[at] ?? 0,
      set: { otherwise: 'inherit', filters },
    });
    versions[at] = Number(version);
  }

  it('arrive on the same node, under the name of who sent them, in both languages', async () => {
    await run(0, 'python', 'python', { port: boxPort });
    await run(0, 'javascript', 'javascript', { port: boxPort + 1 });
    expect(await ask(0, 'python', 'send javascript good morning')).to.equal('sent');
    expect(await ask(0, 'javascript', 'send python good evening')).to.equal('sent');
    const [toPython] = await told(0, 'python');
    const [toJavascript] = await told(0, 'javascript');
    expect(toPython?.message).to.equal('good evening');
    expect(toPython?.from).to.include({ engine: 'javascript' });
    expect(toJavascript?.message).to.equal('good morning');
    expect(toJavascript?.from).to.include({ engine: 'python' });
  });

  it('are refused for who is not there, or receives nothing', async () => {
    expect(await ask(0, 'python', 'send nobody hello')).to.contain('engine-unknown');
    await nodes[0].must(1, {
      type: 'engine.put',
      name: 'deaf',
      settings: { image: images[0], command: ['sleep', '10000'], messages: { port: boxPort + 2 } },
    });
    expect(await ask(0, 'python', 'send deaf hello')).to.contain('message-not-taken');
    await nodes[0].must(1, { type: 'engine.start', name: 'deaf' });
    await until(async () => (await ask(0, 'python', 'send deaf hello')).includes('nobody there receives'));
  });

  it('pass on the same node what the filters pass, and nothing else', async () => {
    await tenantFilters(0, [{ action: 'deny', protocol: 'tcp', ports: [boxPort + 1] }]);
    expect(await ask(0, 'python', 'send javascript in vain').catch(String)).to.match(
      /message-not-taken|engine-silent/,
    );
    await tenantFilters(0, []);
    await until(async () => (await ask(0, 'python', 'send javascript again').catch(String)) === 'sent');
    expect((await told(0, 'javascript')).map(({ message }) => message)).not.to.include('in vain');
  });

  it('go to another node sealed under a key that both have, and are told with where they came from', async () => {
    const secret = randomBytes(32);
    const peers = { far: { address: places[1].ipv4, port: boxPort, engine: 'cache' } };
    await run(0, 'near', 'python', { port: boxPort + 3, key: 'shared', peers });
    await run(1, 'cache', 'javascript', { port: boxPort, key: 'shared' });
    expect(await ask(0, 'near', 'send far hello')).to.contain('no-message-key');
    await setSecret(0, 'shared', secret);
    expect(await ask(0, 'near', 'send far hello')).to.contain('message-not-taken');
    await setSecret(1, 'shared', randomBytes(32));
    expect(await ask(0, 'near', 'send far hello')).to.contain('message-not-taken');
    await setSecret(1, 'shared', secret);
    expect(await ask(0, 'near', 'send far hello over there')).to.equal('sent');
    const all = await told(1, 'cache');
    expect(all.map(({ message }) => message)).to.deep.equal(['hello over there']);
    expect(all[0]?.from).to.include({ engine: 'near', address: places[0].ipv4 });
  });

  it('from another node are refused unsealed, whatever they say', async () => {
    const at_ms = Date.now();
    const liar = { v: 1, id: 'A'.repeat(16), at_ms, from: 'near', node: 'node', to: 'cache', text: 'a lie' };
    const script = [
      'import socket, sys',
      `s = socket.create_connection(("${places[1].ipv4}", ${boxPort}))`,
      's.sendall(b"\\0" + sys.argv[1].encode()); s.shutdown(1); print(s.makefile("rb").read().decode())',
    ].join('\n');
    const answer = await places[0].must(['python3', '-c', script, JSON.stringify(liar)]);
    expect(answer).to.contain('only what is sealed is taken');
    expect((await told(1, 'cache')).length).to.equal(1);
  });

  it('pass between nodes what the filters of both pass, and nothing else', async () => {
    const deny = { action: 'deny', protocol: 'tcp', ports: [boxPort] };
    for (const at of [0, 1] as const) {
      await tenantFilters(at, [deny]);
      expect(await ask(0, 'near', 'send far in vain').catch(String)).to.match(
        /message-not-taken|engine-silent/,
      );
      await tenantFilters(at, []);
      await until(async () => (await ask(0, 'near', 'send far again').catch(String)) === 'sent');
    }
    expect((await told(1, 'cache')).map(({ message }) => message)).not.to.include('in vain');
  });

  it('go on between engines that a killed BMonitor left running, on the same node and between nodes', async () => {
    const since = async (name: string): Promise<unknown> =>
      (await nodes[0].must(1, { type: 'engine.read', name }))['since_ms'];
    const before = await Promise.all(['python', 'javascript', 'near'].map(since));
    await nodes[0].killed();
    for (const [from, words] of [
      ['python', 'send javascript after it'],
      ['javascript', 'send python after it'],
      ['near', 'send far after it'],
    ] as const)
      await until(async () => (await ask(0, from, words).catch(String)) === 'sent', { what: words });
    for (const name of ['python', 'javascript'])
      expect((await told(0, name)).map(({ message }) => message)).to.include('after it');
    expect((await told(1, 'cache')).map(({ message }) => message)).to.include('after it');
    expect(await Promise.all(['python', 'javascript', 'near'].map(since))).to.deep.equal(before);
  });

  it('harm nobody when somebody floods the port: others are told, probes go on', async () => {
    const script = [
      'import socket, time',
      'end = time.time() + 8; held = []',
      'while time.time() < end:',
      '    try:',
      `        s = socket.create_connection(("${places[1].ipv4}", ${boxPort}), 1); s.send(b"\\1" + b"x" * 5000)`,
      '        held.append(s); held = held[-200:]',
      '    except OSError: pass',
    ].join('\n');
    await run(1, 'aside', 'python', { port: boxPort + 1 });
    await run(1, 'asker', 'python', { port: boxPort + 2 });
    const flood = places[0].must(['python3', '-c', script]);
    let sent = 0;
    while (sent < 20) if ((await ask(1, 'asker', 'send aside hello')) === 'sent') sent += 1;
    expect(await nodes[1].must(1, { type: 'status' })).to.include({ status: 'active' });
    await flood;
    await until(async () => (await ask(0, 'near', 'send far afterwards').catch(String)) === 'sent');
  });
});
