import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inputRecords, record, sizeRecord } from '../../../protocol/records.js';
import { OpenGateway } from '../../fakes/open-gateway.js';
import { until } from '../../fakes/until.js';
import { pythonClient } from '../../protocol-client/run.js';
import { EngineRig, smallSystem } from './rig.js';

/** Processes of the machine with this among their words. */
function processesWith(text: string): number {
  return readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'latin1').includes(text);
    } catch {
      return false;
    }
  }).length;
}

describe('a door of an engine', function () {
  this.timeout(120_000);
  let rig: EngineRig;
  let folder: string;
  let gateway: OpenGateway;

  before(async () => {
    gateway = await OpenGateway.listen();
    rig = await EngineRig.make([], ['--gateway', gateway.address]);
    folder = smallSystem();
    const image = rig.import(folder);
    await rig.run('still', { image, command: ['sleep', '100000'], env: { OWN: 'of-the-engine' } });
    const shell = ['sh', '-c', 'stty -echo; while read line; do echo "heard $line at $(stty size)"; done'];
    await rig.run('talker', { image, command: shell, terminal: true });
    await rig.is('still', 'running');
    await rig.is('talker', 'running');
  });
  after(async () => {
    await rig.remove();
    await gateway.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('runs a command with the rights and variables of the engine, and tells both outputs and what it ended with', async () => {
    const script =
      'echo $OWN $MORE; echo aside >&2; cat; grep -E "CapEff|Seccomp:" /proc/self/status; exit 7';
    const door = await rig.door({
      type: 'engine.exec',
      name: 'still',
      command: ['sh', '-c', script],
      env: { MORE: 'of-the-command' },
    });
    await door.write(inputRecords(Buffer.from('typed\n')));
    await door.write(record('inputEnd'));
    expect(await door.ended).to.deep.equal({ ok: true, value: true });
    expect(door.text()).to.contain('of-the-engine of-the-command\n');
    expect(door.text()).to.contain('aside\n').and.to.contain('typed\n');
    expect(door.text()).to.match(/CapEff:\s*00000000[0-9a-f]{4}[048c]/u);
    expect(door.text()).to.match(/Seccomp:\s*2/u);
    expect(door.code()).to.equal(7);
  });

  const ways = [
    { by: 'by its own address', way: () => ['--url', rig.node.url] },
    { by: 'through a gateway', way: () => ['--gateway', gateway.address] },
  ] as const;
  for (const { by, way } of ways)
    it(`opens to a client in another language ${by}, which sent the image and runs it: streams of bytes by docs/protocol.md alone`, async () => {
      await until(() => gateway.nodes === 1);
      const files = mkdtempSync(join(tmpdir(), 'bmonitor-client-'));
      try {
        const [card, key, archive] = ['card.json', 'key.pem', 'image.tar'].map((name) => join(files, name));
        const { lease, to, console } = rig.tenancy;
        const pem = console.private.export({ type: 'pkcs8', format: 'pem' });
        writeFileSync(card ?? '', JSON.stringify({ ...rig.node.card, level: 1, lease, key: to.key.jwk }));
        writeFileSync(key ?? '', pem, { mode: 0o600 });
        execFileSync('tar', ['-C', folder, '-cf', archive ?? '', '.']);
        const words = ['--card', card ?? '', '--key', key ?? '', ...way()];
        const said = await pythonClient('engine', ...words, '--archive', archive ?? '');
        expect(said).to.include({ output: 'heard what was typed\n', aside: 'aside\n', ended: 7 });
      } finally {
        rmSync(files, { recursive: true, force: true });
      }
    });

  it('carries megabytes there and back, unaltered', async () => {
    const door = await rig.door({ type: 'engine.exec', name: 'still', command: ['md5sum'] });
    const bytes = Buffer.alloc(6 * 1024 * 1024, 'abcdefg');
    await door.write(inputRecords(bytes));
    await door.write(record('inputEnd'));
    await door.ended;
    const { createHash } = await import('node:crypto');
    expect(door.text()).to.contain(createHash('md5').update(bytes).digest('hex'));
  });

  it('gives a command a terminal, with its size and the sizes that come after', async () => {
    const door = await rig.door({
      type: 'engine.exec',
      name: 'still',
      command: [
        'sh',
        '-c',
        'tty; stty size; until [ "$(stty size)" = "44 122" ]; do sleep 0.05; done; stty size; read word; echo "said $word"',
      ],
      terminal: { rows: 33, columns: 111 },
    });
    await until(() => door.text().includes('33 111'));
    expect(door.text()).to.contain('/dev/pts/');
    await door.write(sizeRecord(44, 122));
    await until(() => door.text().includes('44 122'));
    await door.write(inputRecords(Buffer.from('hello\n')));
    await door.ended;
    expect(door.text()).to.contain('said hello');
    expect(door.code()).to.equal(0);
  });

  it('takes a command along when the console hangs up, and leaves the engine', async () => {
    const mark = `${100_000 + process.pid}.25`;
    const door = await rig.door({
      type: 'engine.exec',
      name: 'still',
      command: ['sh', '-c', `sleep ${mark} & exec sleep ${mark}`],
    });
    await until(() => processesWith(mark) >= 2);
    door.hangUp();
    await until(() => processesWith(mark) === 0);
    await rig.is('still', 'running');
  });

  it('shows the terminal of an engine, takes what is typed, and leaves it running', async () => {
    const door = await rig.door({ type: 'engine.attach', name: 'talker' });
    await door.write(sizeRecord(21, 77));
    await until(async () => {
      await door.write(inputRecords(Buffer.from('you there\n')));
      return door.text().includes('heard you there at 21 77');
    });
    door.hangUp();
    const again = await rig.door({ type: 'engine.attach', name: 'talker' });
    await again.write(inputRecords(Buffer.from('once more\n')));
    await until(() => again.text().includes('heard once more'));
    again.hangUp();
    await rig.is('talker', 'running');
  });

  it('is refused for what does not run, and says what is not there', async () => {
    const gone = await rig.door({ type: 'engine.forward', name: 'still', port: 9 });
    await gone.ended;
    expect(gone.text()).to.contain('Connection refused');
    await rig.ask({ type: 'engine.pause', name: 'still' });
    const paused = await rig.door({ type: 'engine.exec', name: 'still', command: ['true'] });
    const end = await paused.ended;
    expect(!end.ok && end.refusal.code).to.equal('not-that-way');
    await rig.ask({ type: 'engine.resume', name: 'still' });
  });

  it('leaves neither files nor helpers behind', async () => {
    await until(() => processesWith('exec-') === 0);
    const all = readdirSync(`${rig.runFolder}/i`).flatMap((name) =>
      readdirSync(`${rig.runFolder}/i/${name}`),
    );
    expect(all.filter((name) => name.startsWith('exec-'))).to.deep.equal([]);
  });
});
