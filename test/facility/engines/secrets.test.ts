import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseConsoleCard } from '../../../protocol/console-card.js';
import type { EngineSettings } from '../../../protocol/engines.js';
import { RealConsole } from '../../fakes/console.js';
import { value } from '../../fakes/results.js';
import { until } from '../../fakes/until.js';
import { Search } from '../../scenario/leak/search.js';
import { EngineRig, type Shown } from './rig.js';
import { pythonSystem } from './systems.js';

/** Says on its socket all that it was told of until now, as an error, of which the last is shown; and when it was hung up on. */
const listener = [
  'import json, signal, socket, time',
  'one = socket.socket(socket.AF_UNIX); one.connect("/run/bmonitor/socket")',
  'def say(words): one.sendall((json.dumps(words) + "\\n").encode())',
  'heard = []',
  'def hears(what): heard.append(what); say({"do": "error", "text": ", ".join(heard)})',
  'signal.signal(signal.SIGHUP, lambda *_: hears("hung up"))',
  'say({"do": "beat"})',
  'for line in one.makefile():',
  '    said = json.loads(line)',
  '    if "tell" in said: hears(said["tell"] + " " + said["name"])',
].join('\n');

type Speaking = Shown & { readonly beat_ms?: number; readonly error?: { readonly text: string } };

describe('the secrets of engines', function () {
  this.timeout(600_000);
  const app = new RealConsole('console-app');
  let rig: EngineRig;
  let folder: string;
  let image: string;
  /** Every secret that was ever set here. */
  const all: Buffer[] = [];

  before(async () => {
    rig = await EngineRig.make();
    app.init();
    await app.run();
    const card = value(parseConsoleCard(readFileSync(join(app.dir, 'console.pub.json'), 'utf8')));
    const { tenancy, node } = rig;
    await rig.ask({ type: 'consoles.add', console: { key: card.key.jwk, name: 'app', role: 'developer' } });
    const taken = tenancy.taken as { readonly pair: { readonly jwk: unknown } };
    const [way] = node.card.ways;
    const ways = [{ ...way, url: node.url }];
    const own = { ...node.card, level: 1, lease: tenancy.lease, key: taken.pair.jwk, ways };
    app.must('nodes', 'add', app.file('own.json', JSON.stringify(own)));
    folder = pythonSystem();
    image = rig.import(folder);
  });
  after(async () => {
    await app.remove();
    await rig.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  function set(name: string, secret: Buffer = Buffer.from(randomBytes(24).toString('hex'))): Buffer {
    all.push(secret);
    const file = join(app.dir, 'secret');
    writeFileSync(file, secret, { mode: 0o600 });
    app.must('engines', 'secrets', 'set', name, 'node-1', '--file', file);
    rmSync(file);
    return secret;
  }

  async function inside(name: string, script: string): Promise<string> {
    const door = await rig.door({ type: 'engine.exec', name, command: ['sh', '-c', script] });
    await door.ended;
    return door.text();
  }

  async function run(name: string, settings: Partial<EngineSettings>): Promise<void> {
    await rig.run(name, { image, command: ['python3', '-c', listener], grace_s: 0, ...settings });
    await rig.is(name, 'running');
    await until(async () => ((await rig.shown(name)) as Speaking).beat_ms !== undefined);
  }

  const told = async (name: string): Promise<string | undefined> =>
    ((await rig.shown(name)) as Speaking).error?.text;

  const ask = (name: string): string =>
    [
      "python3 -c 'import socket",
      's = socket.socket(socket.AF_UNIX); s.connect("/run/bmonitor/socket")',
      `s.sendall(b"{\\"do\\":\\"secret\\",\\"name\\":\\"${name}\\"}\\n"); print(s.makefile().readline(), end="")'`,
    ].join('\n');

  it('are files in memory and lines on the socket, for the user of the engine and for none but those that its settings name', async () => {
    const password = set('password');
    set('other');
    await run('web', { secrets: ['password'], user: '33:33' });
    expect(await inside('web', 'cat /run/secrets/password')).to.equal(password.toString());
    expect(await inside('web', 'ls -A /run/secrets; stat -c "%a %u" /run/secrets/password')).to.equal(
      'password\n400 33\n',
    );
    expect(await inside('web', 'echo x 2>/dev/null > /run/secrets/x; ls /run/secrets')).to.equal(
      'password\n',
    );
    expect(JSON.parse(await inside('web', ask('password')))).to.deep.equal({
      ok: true,
      text: password.toString(),
    });
    for (const name of ['other', 'nothing'])
      expect(await inside('web', ask(name))).to.contain('secret-unknown');
    expect(await inside('web', ask('../web/password'))).to.contain('bad-input');
    const listed = app.must('engines', 'secrets', 'list', 'node-1', '--json');
    expect(listed).to.contain('"name":"other"').and.not.to.contain(password.toString());
    expect(app.must('engines', 'secrets', 'list')).to.match(/password .* web/);
  });

  for (const [onSecret, text] of [
    ['tell', 'secret password'],
    ['hangup', 'hung up'],
  ] as const)
    it(`reach an engine that runs when they are replaced, which hears of it: ${onSecret}`, async () => {
      await run(onSecret, { secrets: ['password'], onSecret });
      const { since_ms } = await rig.shown(onSecret);
      const password = set('password');
      await until(async () => (await told(onSecret))?.includes(text) === true);
      expect(await inside(onSecret, 'cat /run/secrets/password')).to.equal(password.toString());
      expect(await rig.shown(onSecret)).to.include({ since_ms, state: 'running' });
    });

  it('have an engine started again when they are replaced, if it wants that', async () => {
    await run('again', { secrets: ['password'], onSecret: 'restart' });
    const { since_ms } = await rig.shown('again');
    const password = set('password');
    await until(async () => ((await rig.shown('again')).since_ms ?? since_ms) !== since_ms);
    await rig.is('again', 'running');
    expect(await inside('again', 'cat /run/secrets/password')).to.equal(password.toString());
  });

  it('are replaced also in engines that a killed BMonitor left running', async () => {
    await rig.run('kept', { image, command: ['sleep', '10000'], secrets: ['password'] });
    const { since_ms } = await rig.is('kept', 'running');
    await rig.restartNode('SIGKILL');
    const { tenancy, node } = rig;
    const taken = tenancy.taken as { readonly pair: { readonly jwk: unknown } };
    const [way] = node.card.ways;
    const ways = [{ ...way, url: node.url }];
    const own = { ...node.card, level: 1, lease: tenancy.lease, key: taken.pair.jwk, ways };
    app.must('nodes', 'remove', 'node-1');
    app.must('nodes', 'add', app.file('own.json', JSON.stringify(own)));
    await until(() => app.cli('nodes', 'status', 'node-1').status === 0);
    const password = set('password');
    await until(async () => (await inside('kept', 'cat /run/secrets/password')) === password.toString());
    expect(await rig.shown('kept')).to.include({ since_ms });
  });

  it('hold up the start of an engine until they are set', async () => {
    await rig.run('early', { image, command: ['sleep', '1000'], secrets: ['late'] });
    await until(async () => (await rig.shown('early')).lastFailure?.code === 'secret-missing');
    set('late');
    await rig.is('early', 'running');
  });

  it('are gone from engines that run when they are destroyed', async () => {
    expect(app.cli('engines', 'secrets', 'remove', 'late', 'node-1').err).to.match(/^confirm-by-name/);
    app.must('engines', 'secrets', 'remove', 'late', 'node-1', '--confirm', 'late');
    await until(async () => (await inside('early', 'ls -A /run/secrets')) === '');
  });

  it('are refused when they are too large', () => {
    const file = app.file('large', 'x'.repeat(16 * 1024 + 1));
    expect(app.cli('engines', 'secrets', 'set', 'large', 'node-1', '--file', file).err).to.match(
      /^too-large/,
    );
  });

  it('stand nowhere but in the memory that engines read: not in the history, not on the disk, not in how a program was started', async () => {
    const { lines } = await rig.ask({ type: 'history.read', from: 1, count: 200 });
    const commands = lines as readonly string[];
    expect(commands.some((line) => line.includes('secret.set'))).to.equal(true);
    const search = new Search(all.map((bytes, at) => ({ name: `secret ${at}`, bytes })));
    expect(search.in(Buffer.from(commands.join('\n')))).to.deep.equal([]);
    // What the statements say, as whoever has the history reads them.
    const said = commands.map((line) => {
      const { statement = '' } = JSON.parse(line) as { statement?: string };
      return Buffer.from(statement.split('.')[1] ?? '', 'base64url').toString();
    });
    expect(search.in(Buffer.from(said.join('\n')))).to.deep.equal([]);
    expect(
      search.in(Buffer.from(rig.node.log.map((entry) => JSON.stringify(entry)).join('\n'))),
    ).to.deep.equal([]);
    const folders = [rig.node.folder, join(rig.runFolder, 'i'), app.dir];
    for (const file of folders.flatMap(filesIn)) expect(search.in(file.bytes), file.name).to.deep.equal([]);
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
      for (const name of ['cmdline', 'environ']) {
        const path = join('/proc', pid, name);
        expect(search.in(read(path)), path).to.deep.equal([]);
      }
    const kind = execFileSync('stat', ['-f', '-c', '%T', join(rig.runFolder, 'secrets')], {
      encoding: 'utf8',
    });
    expect(kind.trim()).to.equal('ramfs');
  });

  it('go with their engines', async () => {
    for (const name of ['web', 'tell', 'hangup', 'again', 'early', 'kept'])
      await rig.ask({ type: 'engine.remove', name });
    await until(() => readdirSync(join(rig.runFolder, 'secrets')).length === 0);
  });
});

function filesIn(folder: string): readonly { readonly name: string; readonly bytes: Buffer }[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(
      (entry) => entry.isFile() && !entry.name.endsWith('.img') && !entry.parentPath.includes('/images/'),
    )
    .map((entry) => join(entry.parentPath, entry.name))
    .map((name) => ({ name, bytes: read(name) }));
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    // It has gone in the meantime.
    return Buffer.alloc(0);
  }
}
