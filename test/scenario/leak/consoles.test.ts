import { createPrivateKey, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { RealConsole } from '../../fakes/console.js';
import { RealNode } from '../../fakes/real-node.js';
import { until } from '../../fakes/until.js';
import { Disk, recorded, recording, started, traced } from './evidence.js';
import { piecesOfKey, piecesOfPair, Search, type Piece } from './search.js';

const isGood = (console: RealConsole) => (): boolean => console.cli('nodes', 'status', 'node-1').status === 0;

/**
 * What a console knows besides what it is to write down: its own key, the one before and the next, what its vault holds, and what passes through it. Two things stand open
 * on its disk on purpose, for whoever may read its folder: the token of its command line, and the key of its page's TLS.
 */
describe('consoles that were used hard', function () {
  this.timeout(300_000);
  let folder: string;
  let disk: Disk;
  let landlord: RealConsole;
  let acme: RealConsole;
  let node: RealNode | undefined;
  let passphrase: Buffer;
  const secretsOf = (name: string): string => join(folder, `${name}.secrets`);

  before(async function () {
    // Without root no file system can be mounted.
    if (process.getuid?.() !== 0) return this.skip();
    folder = await mkdtemp(join(tmpdir(), 'bmonitor-leak-'));
    disk = new Disk(folder, 96);
    await disk.make();
    const made = async (name: string, kind: 'console-app' | 'console-cluster') => {
      await mkdir(join(folder, name));
      return new RealConsole(kind, join(disk.mount, name), {
        env: recording(secretsOf(name)),
        wrap: ['prlimit', '--core=unlimited', ...traced(join(folder, name))],
      });
    };
    landlord = await made('landlord', 'console-cluster');
    acme = await made('acme', 'console-app');
    for (const console of [landlord, acme]) {
      console.init();
      await console.run();
    }
    passphrase = Buffer.from((await readFile(acme.passphrase, 'utf8')).trim());
    node = await RealNode.make('node-1', join(landlord.dir, 'console.pub.json'));
    await node.run();
    landlord.must('nodes', 'add', node.cardFile);
    await until(isGood(landlord), 120_000);
    landlord.must('customers', 'set', 'acme', join(acme.dir, 'console.pub.json'));
    landlord.must('leases', 'grant', 'node-1', '--customer', 'acme');
    const handOver = landlord.file('acme.json', '');
    landlord.must('leases', 'hand-over', 'acme', '--out', handOver);
    acme.must('lease', 'take', handOver);
    await until(isGood(acme), 120_000);
  });
  after(async () => {
    for (const console of [landlord, acme]) await console?.remove();
    await node?.remove();
    await disk?.unmount();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  it('have left no byte of a key, of a share, of what a vault holds or of a secret of engines: on the disk, in a log, in any process they started', async () => {
    const engineSecrets = [randomBytes(32), randomBytes(32)];
    for (const [at, secret] of engineSecrets.entries()) {
      const file = acme.file(`secret-${at}`, secret.toString('base64'));
      acme.must('engines', 'secrets', 'set', 'password', 'node-1', '--file', file);
    }
    landlord.must('keys', 'make', 'node-1');
    for (const console of [landlord, acme]) console.must('keys', 'share', 'node-1');
    acme.must('keys', 'rotate', 'node-1', '--data', 'reencrypt');
    const [backup, under] = [join(acme.dir, 'console.p12'), ['--passphrase-file', acme.passphrase]];
    acme.must('key', 'backup', backup, ...under, '--backup-passphrase-file', acme.passphrase);
    // One next key that never comes to be the present one, and one that does.
    landlord.must('key', 'rotate');
    acme.must('key', 'rotate');
    const stage = (console: RealConsole): unknown => {
      const said = console.cli('key', 'rotate', '--status', '--json');
      return said.status === 0 ? (JSON.parse(said.out) as { stage: unknown }).stage : undefined;
    };
    await until(() => stage(acme) === 'none' && stage(landlord) === 'none', 120_000);
    await until(isGood(acme), 120_000);
    acme.must('keys', 'share', 'node-1');
    const limitsOf = await readFile(`/proc/${acme.pid}/limits`, 'utf8');
    expect(limitsOf).to.match(/Max core file size\s+1\s+1\s/);
    const logs = [landlord, acme].map(({ log }) => log).join('\n');
    for (const console of [landlord, acme]) await console.stop('SIGABRT');

    const open: Piece[] = [];
    const secrets: Piece[] = [...piecesOfKey('the passphrase', passphrase)];
    for (const [name, console] of Object.entries({ landlord, acme })) {
      secrets.push(...(await recorded(secretsOf(name))));
      const tls = createPrivateKey(await readFile(join(console.dir, 'tls.key')));
      open.push(...piecesOfPair('tls', tls.export({ type: 'pkcs8', format: 'der' })));
      expect(existsSync(join(console.dir, 'core'))).to.equal(false);
    }
    for (const [at, secret] of engineSecrets.entries()) {
      secrets.push(...piecesOfKey(`secret ${at} of engines`, secret));
      secrets.push(...piecesOfKey(`secret ${at} as it was given`, Buffer.from(secret.toString('base64'))));
    }
    const sought = secrets.filter(({ bytes }) => !open.some((one) => one.bytes.equals(bytes)));
    expect(sought.length, 'pairs of both, and shares').to.be.greaterThan(60);
    const programs = await Promise.all(['landlord', 'acme'].map((name) => started(join(folder, name))));
    const whole = await disk.content();
    const search = new Search(sought);
    expect([
      ...search.in(whole).map((name) => `${name} on the disk`),
      ...search.in(Buffer.from(logs)).map((name) => `${name} in a log`),
      ...programs.flatMap(({ bytes }) =>
        search.in(bytes).map((name) => `${name} in how a program was started`),
      ),
    ]).to.deep.equal([]);
    // The same search finds what is there.
    expect(new Search(open).in(whole)).to.include('tls.d');
    console.log(
      `      ${sought.length} pieces of secrets, ${whole.length / 1024 / 1024} MiB of disk searched`,
    );
  });
});
