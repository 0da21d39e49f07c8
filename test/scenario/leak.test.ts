import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { exportPrivate, type Pair } from '../../crypto/rsa.js';
import type { Secret } from '../../crypto/secret.js';
import { TpmRootStore } from '../../bmonitor/host/root-store-tpm.js';
import { openLevelStore } from '../../bmonitor/host/store-level.js';
import { Journal } from '../../bmonitor/node/journal.js';
import { value } from '../fakes/results.js';
import { SoftwareTpm } from '../fakes/swtpm.js';
import { NodeProcess } from './node-process.js';
import { addressee, patiently, rent } from './tenancy.js';
import type { PublicJwk } from '../../crypto/rsa.js';

const run = promisify(execFile);

/** Programs that write down how they were called, and then are what they stand for. */
async function recordingPath(folder: string): Promise<string> {
  const { stdout } = await run('sh', ['-c', 'command -v tpm2_startauthsession']);
  const real = join(stdout.trim(), '..');
  await mkdir(folder);
  for (const tool of (await readdir(real)).filter((name) => name.startsWith('tpm2_')))
    await writeFile(
      join(folder, tool),
      `#!/bin/sh\n{ tr '\\0' '\\n' < /proc/$$/cmdline; tr '\\0' '\\n' < /proc/$$/environ; } >> "${folder}/calls"\nexec ${real}/${tool} "$@"\n`,
      { mode: 0o755 },
    );
  return folder;
}

/** The ways in which somebody might write bytes down. */
function spellings(bytes: Buffer): readonly Buffer[] {
  const shifted = [0, 1, 2].map((skip) =>
    bytes.subarray(skip, skip + 3 * Math.floor((bytes.length - skip) / 3)),
  );
  const texts = [
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    ...shifted.flatMap((part) => [part.toString('base64'), part.toString('base64url')]),
    [...bytes].join(','),
    [...bytes].join(', '),
  ];
  return [bytes, ...texts.map((text) => Buffer.from(text))];
}

/** A piece from the middle of a long secret is enough to know it by, and is found however the whole was broken into lines. */
function pieces(name: string, secret: Secret | Buffer): readonly { name: string; bytes: Buffer }[] {
  const bytes = Buffer.isBuffer(secret) ? secret : secret.use((one) => Buffer.from(one));
  if (bytes.length <= 32) return [{ name, bytes }];
  const middle = Math.floor(bytes.length / 2);
  return [{ name, bytes: bytes.subarray(middle, middle + 24) }];
}

function piecesOf(name: string, pair: Pair): readonly { name: string; bytes: Buffer }[] {
  const jwk = pair.private.export({ format: 'jwk' });
  const parts = (['d', 'p', 'q', 'dp', 'dq', 'qi'] as const).flatMap((part) =>
    pieces(`${name}.${part}`, Buffer.from(jwk[part] ?? '', 'base64url')),
  );
  return [...pieces(`${name} in PKCS#8`, exportPrivate(pair)), ...parts];
}

async function filesUnder(folder: string): Promise<readonly string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  return found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

describe('a node that was used hard', function () {
  this.timeout(300_000);
  let tpm: SoftwareTpm;
  let folder: string;
  let node: NodeProcess;
  before(async () => {
    tpm = await SoftwareTpm.make();
    folder = await mkdtemp(join(tmpdir(), 'bmonitor-leak-'));
    const tools = await recordingPath(join(folder, 'tools'));
    node = await NodeProcess.make({
      init: ['--keys', 'tpm', '--tpm', tpm.tcti, '--pcr', '0', '4', '7'],
      path: `${tools}:${process.env['PATH'] ?? ''}`,
    });
    await node.start();
  });
  after(async () => {
    await node.remove();
    await tpm.remove();
    await rm(folder, { recursive: true, force: true });
  });

  it('has left no byte of any secret on its disk, in its log, or in any process it started', async () => {
    const seen = new Map<string, Buffer>();
    const ask = async (
      command: Parameters<typeof patiently>[1]['command'],
      to = node.to,
    ): Promise<unknown> => {
      const session = await node.session();
      const reply = value(await patiently(session, { command, to }));
      session.close('done');
      return reply.result;
    };
    await ask({ type: 'keys.make' });
    const gone = await rent(node);
    await ask({ type: 'lease.end', lease: gone.lease });
    const tenancy = await rent(node);
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
    await ask({ type: 'status' }, to);
    expect(await ask({ type: 'keys.blindness', nonce: 'A'.repeat(43) }, to)).to.include({
      result: 'tried',
    });
    const pid = node.pid;
    const environment = await readFile(`/proc/${pid}/environ`);
    const line = await readFile(`/proc/${pid}/cmdline`);
    expect((await readFile(`/proc/${pid}/coredump_filter`, 'utf8')).trim()).to.equal('00000000');
    await node.kill();

    for (const file of await filesUnder(node.folder)) seen.set(file, await readFile(file));
    seen.set('the log', Buffer.from(node.log.map((entry) => JSON.stringify(entry)).join('\n')));
    const calls = await readFile(join(folder, 'tools', 'calls'));
    expect(calls.includes('tpm2_nvwrite')).to.equal(true);
    seen.set('how it called other programs', calls);
    seen.set('how it was called', Buffer.concat([environment, line]));
    const secrets = await secretsOf(node, tpm, folder);
    expect(secrets.length).to.be.greaterThan(30);
    const found = secrets.flatMap(({ name, bytes }) =>
      [...seen].flatMap(([where, content]) =>
        spellings(bytes).some((spelling) => content.includes(spelling)) ? [`${name} in ${where}`] : [],
      ),
    );
    expect(found).to.deep.equal([]);
    // The same search finds what is there.
    const id = Buffer.from(node.card.lease);
    expect([...seen.values()].some((content) => content.includes(id))).to.equal(true);
  });
});

/** Everything secret that the node has, read with its own code from a copy of its disk. */
async function secretsOf(node: NodeProcess, tpm: SoftwareTpm, folder: string) {
  const copy = join(folder, 'copy');
  await mkdir(copy);
  for (const part of ['root.tpm', 'store'])
    await cp(join(node.dir, part), join(copy, part), { recursive: true });
  const roots = new TpmRootStore(copy, { tcti: tpm.tcti, pcrs: [0, 4, 7] });
  const { root, g } = value(await roots.load());
  const before = [...pieces('root', root), ...pieces('G', g)];
  const journal = value(await Journal.open(value(await openLevelStore(join(copy, 'store'))), roots));
  const { ring } = journal;
  const named = (kind: string, keys: ReadonlyMap<string, Secret>) =>
    [...keys].flatMap(([id, key]) => pieces(`${kind} ${id}`, key));
  const all = [
    ...before,
    ...piecesOf('tls', ring.tls),
    ...[...ring.pairs].flatMap(([id, pair]) => piecesOf(`pair ${id}`, pair)),
    ...named('symmetric', ring.symmetric),
    ...named('data', ring.data),
    ...named('outer', ring.outer),
    ...pieces('salt', ring.salt),
  ];
  await journal.close();
  await rm(copy, { recursive: true });
  return all;
}
