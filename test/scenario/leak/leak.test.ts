import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
import { until } from '../../fakes/until.js';
import { NodeProcess } from '../node-process.js';
import { addressee, patiently, rent, type Tenancy } from '../tenancy.js';
import { Disk, recorded, recording, started, traced } from './evidence.js';
import { piecesOfKey, piecesOfPair, Search } from './search.js';

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
      wrap: ['prlimit', '--core=unlimited', ...traced(folder)],
      env: recording(join(folder, 'secrets')),
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
    const anew = (await ask({ type: 'keys.rotate', level: 1, key: false, data: 'reencrypt' }, tenancy)) as {
      pair: { jwk: PublicJwk };
    };
    // Its keys are in memory only until it ends.
    const under = { ...tenancy, to: addressee(1, tenancy.lease, anew.pair.jwk) };
    await until(async () => {
      const { jobs } = (await ask({ type: 'jobs.read' }, under)) as { jobs: readonly { state: string }[] };
      return jobs.at(-1)?.state === 'done';
    });
    await setSecret(under, engineSecrets[0] ?? Buffer.alloc(0));
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
