import { expect } from 'chai';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { parseConsoleCard } from '../../../protocol/console-card.js';
import { RealConsole } from '../../fakes/console.js';
import { value } from '../../fakes/results.js';
import { until } from '../../fakes/until.js';
import { EngineRig, smallSystem } from './rig.js';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const index = fileURLToPath(new URL('../../../console-app/cli/index.js', import.meta.url));

/** A system with Node.js and what it needs. */
function nodeSystem(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bmonitor-node-image-'));
  chmodSync(folder, 0o755);
  for (const name of ['bin', 'etc', 'dev', 'proc', 'sys', 'tmp']) mkdirSync(join(folder, name));
  cpSync(process.execPath, join(folder, 'bin', 'node'));
  const needed = execFileSync('ldd', [process.execPath], { encoding: 'utf8' }).match(/\/lib\S+/gu) ?? [];
  for (const library of needed) {
    mkdirSync(dirname(join(folder, library)), { recursive: true });
    cpSync(library, join(folder, library), { dereference: true });
  }
  return folder;
}

function fetched(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      let text = '';
      response.on('data', (piece: Buffer) => (text += piece.toString()));
      response.on('end', () => resolve(text));
    }).on('error', reject);
  });
}

describe('the tenant’s console at a door of an engine', function () {
  this.timeout(180_000);
  const app = new RealConsole('console-app');
  let rig: EngineRig;
  const folders: string[] = [];

  before(async () => {
    rig = await EngineRig.make();
    app.init();
    await app.run();
    const card = value(parseConsoleCard(readFileSync(join(app.dir, 'console.pub.json'), 'utf8')));
    const { tenancy, node } = rig;
    await rig.ask({ type: 'consoles.add', console: { key: card.key.jwk, name: 'app', role: 'developer' } });
    const taken = tenancy.taken as { readonly pair: { readonly jwk: unknown } };
    const [way] = node.card.ways;
    const own = {
      ...node.card,
      level: 1,
      lease: tenancy.lease,
      key: taken.pair.jwk,
      ways: [{ ...way, url: node.url }],
    };
    app.must('nodes', 'add', app.file('own.json', JSON.stringify(own)));
    folders.push(smallSystem(), nodeSystem());
    const [small = '', withNode = ''] = folders.map((folder) => rig.import(folder));
    await rig.run('small', { image: small, command: ['sleep', '100000'] });
    await rig.run('shell', { image: small, command: ['sh'], terminal: true });
    const script = 'globalThis.answer = 41; setInterval(() => {}, 1000)';
    await rig.run('debugged', {
      image: withNode,
      command: ['/bin/node', '--inspect=127.0.0.1:9229', '-e', script],
      memory_mb: 512,
    });
    const answers = [
      `const socket = require('node:net').connect('/run/bmonitor/socket');`,
      `const say = (words) => socket.write(JSON.stringify(words) + '\\n');`,
      `say({ do: 'serve', name: 'worker-1' });`,
      `require('node:readline').createInterface({ input: socket }).on('line', (line) => {`,
      `  const { ask, text } = JSON.parse(line);`,
      `  if (ask) say({ do: 'answer', ask, text: text + ' yourself' });`,
      `});`,
    ].join('\n');
    await rig.run('asked', { image: withNode, command: ['/bin/node', '-e', answers], memory_mb: 512 });
    for (const name of ['small', 'shell', 'debugged', 'asked']) await rig.is(name, 'running');
  });
  after(async () => {
    await app.remove();
    await rig.remove();
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });

  it('runs a command with pipes and ends as it did', () => {
    const words = [index, '--dir', app.dir, 'engines', 'exec', 'small', 'node-1', '--env', 'A=b c', '--'];
    const script = 'cat; echo "$A" >&2; exit 9';
    const run = spawnSync(process.execPath, [...words, 'sh', '-c', script], {
      input: 'piped\n',
      encoding: 'utf8',
    });
    expect(run.stdout).to.equal('piped\n');
    expect(run.stderr).to.equal('b c\n');
    expect(run.status).to.equal(9);
  });

  it('says what it could not do', () => {
    const none = app.cli('engines', 'exec', 'nobody', 'node-1', '--', 'true');
    expect(none.status).to.equal(125);
    expect(none.err).to.match(/^engine-unknown: /);
  });

  function typed(
    steps: readonly (readonly [string, string])[],
    ...words: readonly string[]
  ): { seen: string; code: number; left: number } {
    const script = join(root, 'test/facility/engines/type-at.py');
    const all = [script, JSON.stringify(steps), process.execPath, index, '--dir', app.dir, ...words];
    return JSON.parse(execFileSync('python3', all, { encoding: 'utf8' })) as ReturnType<typeof typed>;
  }

  it('gives a shell in the engine a terminal that is typed at', () => {
    const shell = typed(
      [
        ['# ', 'stty size; tty\n'],
        ['37 119', 'exit 3\n'],
      ],
      'engines',
      'exec',
      'small',
      'node-1',
      '--',
      'sh',
    );
    expect(shell).to.deep.include({ code: 3, left: 0 });
    expect(shell.seen).to.contain('/dev/pts/');
  });

  it('attaches to the terminal of an engine and leaves it running', async () => {
    const before = (await rig.is('shell', 'running')).since_ms;
    const words = ['engines', 'attach', 'shell', 'node-1'];
    // The shell shows its prompt only when it is asked for something.
    const child = spawn(process.execPath, [index, '--dir', app.dir, ...words]);
    let seen = '';
    child.stdout.on('data', (piece: Buffer) => (seen += piece.toString()));
    await until(() => {
      if (!seen.includes('here 42')) child.stdin.write('echo here $((40+2))\n');
      return seen.includes('here 42');
    });
    child.kill('SIGTERM');
    await once(child, 'exit');
    expect((await rig.is('shell', 'running')).since_ms).to.equal(before);
  });

  it('asks a thread of an engine by its name, and says that nobody of another name is there', async () => {
    await until(() => app.cli('engines', 'ask', 'asked', 'node-1', 'worker-1', 'ready').status === 0);
    expect(app.must('engines', 'ask', 'asked', 'node-1', 'worker-1', 'how are you')).to.equal(
      'how are you yourself\n',
    );
    const nobody = app.cli('engines', 'ask', 'asked', 'node-1', 'worker-2', '');
    expect(nobody.status).to.equal(1);
    expect(nobody.err).to.match(/^engine-silent: /);
  });

  it('leads a debugger to a real node --inspect, which evaluates what it is asked', async () => {
    const child = spawn(process.execPath, [
      index,
      '--dir',
      app.dir,
      'engines',
      'forward',
      'debugged',
      'node-1',
      '0:9229',
      '--json',
    ]);
    try {
      const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
      const { port } = JSON.parse(line) as { port: number };
      let list = '';
      await until(async () => {
        list = await fetched(`http://127.0.0.1:${port}/json/list`).catch(() => '');
        return list !== '';
      });
      const [target] = JSON.parse(list) as { webSocketDebuggerUrl: string }[];
      const url = new URL(target?.webSocketDebuggerUrl ?? '');
      const inspector = new WebSocket(`ws://127.0.0.1:${port}${url.pathname}`);
      await once(inspector, 'open');
      const answered = once(inspector, 'message');
      const params = { expression: 'globalThis.answer + 1' };
      inspector.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params }));
      const [text] = (await answered) as [Buffer];
      expect(JSON.parse(text.toString())).to.deep.include({
        id: 1,
        result: { result: { type: 'number', value: 42, description: '42' } },
      });
      inspector.terminate();
      // Who went in stands in the level's history, like a command inside and an attached terminal.
      const read = await rig.ask({ type: 'history.read', from: 1, count: 100 });
      const commands = (read['lines'] as readonly string[]).map(
        (entry) => (JSON.parse(entry) as { command: string }).command,
      );
      expect(commands).to.include.members(['engine.exec', 'engine.attach', 'engine.forward']);
    } finally {
      child.kill();
      await once(child, 'exit');
    }
  });
});
