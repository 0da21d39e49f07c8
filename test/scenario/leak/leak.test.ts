import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { lackingForDirectories } from '../../../bmonitor/host/data/detect.js';
import { ImageStore } from '../../../bmonitor/host/data/image-store.js';
import { makePair, type PublicJwk } from '../../../crypto/rsa.js';
import { Secret } from '../../../crypto/secret.js';
import { sealShare, verifyBoot } from '../../../protocol/unlock.js';
import { publicKeyFromJwk, type PublicKey } from '../../../crypto/rsa.js';
import { sealSecret } from '../../../protocol/engine-secrets.js';
import { value } from '../../fakes/results.js';
import { SoftwareTpm } from '../../fakes/swtpm.js';
import { NodeProcess } from '../node-process.js';
import { addressee, patiently, rent, type Tenancy } from '../tenancy.js';
import { piecesOfKey, piecesOfPair, Search, type Piece } from './search.js';

const run = promisify(execFile);
const recorder = fileURLToPath(new URL('recorder.js', import.meta.url));

/** The node's whole disk: a file system of its own in a file, so that what was deleted is searched too. */
class Disk {
  constructor(readonly folder: string) {}

  get image(): string {
    return join(this.folder, 'disk.img');
  }

  get mount(): string {
    return join(this.folder, 'disk');
  }

  async make(): Promise<void> {
    await run('fallocate', ['-l', String(384 * 1024 * 1024), this.image]);
    await run('mkfs.ext4', ['-q', '-F', '-E', 'nodiscard', this.image]);
    await mkdir(this.mount);
    await run('mount', ['-o', 'loop,nodiscard', this.image, this.mount]);
  }

  async content(): Promise<Buffer> {
    await this.unmount();
    return readFile(this.image);
  }

  async unmount(): Promise<void> {
    await run('umount', ['-R', this.mount]).catch(() => {});
  }
}

/** What strace wrote of the programs that were started: their arguments and environment, of which it prints every byte in hexadecimal. */
async function started(
  folder: string,
): Promise<{ readonly programs: readonly string[]; readonly bytes: Buffer }> {
  const programs: string[] = [];
  const parts: Buffer[] = [];
  for (const file of (await readdir(folder)).filter((name) => name.startsWith('trace'))) {
    const text = await readFile(join(folder, file), 'utf8');
    expect(text, 'nothing was cut short').to.not.match(/"\.\.\./);
    for (const line of text.split('\n').filter((one) => one.includes('execve'))) {
      const strings = [...line.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, hex = '']) =>
        Buffer.from(hex.replaceAll('\\x', ''), 'hex'),
      );
      programs.push(strings[0]?.toString().split('/').at(-1) ?? '');
      parts.push(...strings.flatMap((one) => [one, Buffer.from('\n')]));
    }
  }
  return { programs, bytes: Buffer.concat(parts) };
}

async function recorded(file: string): Promise<readonly Piece[]> {
  const lines = new Set((await readFile(file, 'utf8')).trim().split('\n'));
  return [...lines].flatMap((line, at) => {
    const [kind = '', hex = ''] = line.split(' ');
    const bytes = Buffer.from(hex, 'hex');
    return kind === 'pair' ? piecesOfPair(`pair ${at}`, bytes) : piecesOfKey(`key ${at}`, bytes);
  });
}

describe('a node that was used hard', function () {
  this.timeout(600_000);
  let tpm: SoftwareTpm;
  let folder: string;
  let disk: Disk;
  let node: NodeProcess;
  before(async function () {
    // Without root no file system can be mounted.
    if ((await lackingForDirectories()).length > 0) return this.skip();
    tpm = await SoftwareTpm.make();
    folder = await mkdtemp(join(tmpdir(), 'bmonitor-leak-'));
    disk = new Disk(folder);
    await disk.make();
    const trace = [
      'strace',
      '-D',
      '-f',
      '-ff',
      '-qq',
      '-v',
      '-xx',
      '-s',
      '262144',
      '-e',
      'trace=execve,execveat',
    ];
    node = await NodeProcess.make({
      init: [
        '--keys',
        'tpm',
        '--tpm',
        tpm.tcti,
        '--pcr',
        '0',
        '4',
        '7',
        '--file-bytes',
        String(32 * 1024 * 1024),
      ],
      parent: disk.mount,
      wrap: ['prlimit', '--core=unlimited', ...trace, '-o', join(folder, 'trace')],
      env: { NODE_OPTIONS: `--import=${recorder}`, BMONITOR_TEST_SECRETS: join(folder, 'secrets') },
    });
    await node.start();
  });
  after(async () => {
    await node?.kill();
    await disk?.unmount();
    await tpm?.remove();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  async function ask(command: Parameters<typeof patiently>[1]['command'], tenancy?: Tenancy, to = node.to) {
    const session = await node.session(tenancy?.console);
    const reply = value(await patiently(session, { command, to: tenancy?.to ?? to }));
    session.close('done');
    return reply.result as Readonly<Record<string, unknown>>;
  }

  async function bootPair(tenancy: Tenancy): Promise<PublicKey> {
    const { boot, statement } = (await ask({ type: 'keys.boot' }, tenancy)) as {
      boot: string;
      statement: string;
    };
    const identity = publicKeyFromJwk(node.card.identity);
    if (!identity) throw new Error('the card has a key');
    return value(await verifyBoot(statement, identity, boot));
  }

  async function setSecret(tenancy: Tenancy, secret: Buffer): Promise<void> {
    const place = { lease: tenancy.lease, name: 'password' };
    const sealed = await sealSecret(await bootPair(tenancy), place, Secret.take(Buffer.from(secret)));
    await ask({ type: 'secret.set', name: place.name, value: sealed }, tenancy);
  }

  async function setShare(tenancy: Tenancy, share: Secret): Promise<void> {
    const { symmetric } = tenancy.taken as { symmetric: string };
    const to = await bootPair(tenancy);
    await ask({ type: 'keys.share', share: await sealShare(to, symmetric, share) }, tenancy);
  }

  it('has left no byte of any secret it ever had: on its whole disk, in its log, in any process it started, in a core file or in swap', async () => {
    const share = Secret.take(randomBytes(32));
    await ask({ type: 'keys.make' });
    const gone = await rent(node);
    await ask({ type: 'lease.end', lease: gone.lease });
    const tenancy = await rent(node);
    const engineSecrets = [randomBytes(32), randomBytes(32), randomBytes(32)];
    for (const secret of engineSecrets) await setSecret(tenancy, secret);
    await setShare(tenancy, share);
    await ask({ type: 'keys.rotate', level: 1, key: false, data: 'reencrypt' }, tenancy);
    const rotated = (await ask({
      type: 'keys.rotate',
      level: 0,
      key: true,
      data: 'destroy',
      destroys: [node.card.lease, tenancy.lease],
    })) as { pair: { jwk: PublicJwk } };
    const to = addressee(0, node.card.lease, rotated.pair.jwk);
    await node.kill();
    await node.start();
    await ask({ type: 'status' }, undefined, to);

    // What a level stores in files, on the same disk.
    const written = { lease: 'files', epoch: 0 };
    const [fileKey, fileContent] = [randomBytes(32), randomBytes(32)];
    const files = new ImageStore(join(disk.mount, 'files'), 32 * 1024 * 1024);
    const directory = value(await files.open(written, Secret.take(Buffer.from(fileKey))));
    await writeFile(join(directory, fileContent.toString('hex')), Buffer.concat(Array(64).fill(fileContent)));
    value(await files.lock(written));

    // It crashes for real, and the system would let it write all of its memory.
    const status = await readFile(`/proc/${node.pid}/status`, 'utf8');
    expect(/VmSwap:\s+0 kB/.test(status), 'nothing of it is in swap').to.equal(true);
    expect((await readFile(`/proc/${node.pid}/coredump_filter`, 'utf8')).trim()).to.equal('00000000');
    expect(await readFile(`/proc/${node.pid}/limits`, 'utf8')).to.match(/Max core file size\s+1\s+1\s/);
    await node.kill('SIGABRT');
    const cores = (await readdir(node.folder, { recursive: true })).filter((name) => /(^|\/)core/.test(name));
    expect(cores).to.deep.equal([]);

    const { programs, bytes } = await started(folder);
    for (const program of ['node', 'prlimit', 'tpm2_unseal', 'tpm2_nvwrite'])
      expect(programs, 'programs that were seen to start').to.include(program);
    const secrets = [
      ...(await recorded(join(folder, 'secrets'))),
      ...piecesOfKey(
        'the share',
        share.use((one) => Buffer.from(one)),
      ),
      ...engineSecrets.flatMap((secret, at) => piecesOfKey(`secret ${at} of engines`, secret)),
      ...piecesOfKey('the key of the files', fileKey),
      ...piecesOfKey('the content of the files', fileContent),
    ];
    expect(secrets.length).to.be.greaterThan(200);
    const log = Buffer.from(node.log.map((entry) => JSON.stringify(entry)).join('\n'));
    const whole = await disk.content();
    const search = new Search(secrets);
    const found = [
      ...search.in(whole).map((name) => `${name} on the disk`),
      ...search.in(log).map((name) => `${name} in the log`),
      ...search.in(bytes).map((name) => `${name} in how a program was started`),
    ];
    expect(found).to.deep.equal([]);

    // The same search finds what is there: the disk and the programs do have the lease of the node, and the folder.
    expect(
      new Search([
        { name: 'it', bytes: Buffer.from(await readFile(join(folder, 'secrets'))).subarray(0, 24) },
      ]).in(await readFile(join(folder, 'secrets'))),
    ).to.deep.equal(['it']);
    expect(new Search([{ name: 'the folder', bytes: Buffer.from(node.folder) }]).in(bytes)).to.deep.equal([
      'the folder',
    ]);
    expect(new Search([{ name: 'the card', bytes: Buffer.from(node.card.lease) }]).in(whole)).to.deep.equal([
      'the card',
    ]);
    console.log(
      `      ${secrets.length} pieces of secrets, ${programs.length} programs started, ${whole.length / 1024 / 1024} MiB of disk searched`,
    );
  });

  it('would be found out in every spelling', async () => {
    const key = randomBytes(32);
    const { privateKey } = await (async () => ({ privateKey: (await makePair(2048)).private }))();
    const der = privateKey.export({ type: 'pkcs8', format: 'der' });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    const search = new Search([...piecesOfKey('key', key), ...piecesOfPair('pair', der)]);
    const noise = () => randomBytes(1 + (key[0] ?? 0));
    const written: readonly (Buffer | string)[] = [
      key,
      Buffer.from(key).reverse(),
      key.toString('hex'),
      key.toString('hex').toUpperCase(),
      ...[0, 1, 2].flatMap((shift) => {
        const within = Buffer.concat([Buffer.alloc(shift), key]);
        return [within.toString('base64'), within.toString('base64url')];
      }),
      JSON.stringify([...key]),
      JSON.stringify({ type: 'Buffer', data: [...key] }, null, 1).replaceAll(/\n\s*/g, ' '),
      key.subarray(0, 16),
      pem,
      pem.toString().replaceAll('\n', ''),
      der,
    ];
    for (const [at, one] of written.entries())
      expect(
        search.in(Buffer.concat([noise(), Buffer.from(one as string), noise()])).length,
        `spelling ${at}`,
      ).to.be.greaterThan(0);
    expect(search.in(noise())).to.deep.equal([]);
  });
});
