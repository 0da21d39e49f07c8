import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { TpmRootStore } from '../../../bmonitor/host/root-store-tpm.js';
import { measurementOf } from '../../../bmonitor/host/tpm-approval.js';
import { policyInIndex, policyPcr } from '../../../bmonitor/host/tpm-policy.js';
import { registersNow } from '../../../bmonitor/host/tpm-session.js';
import { makePair } from '../../../crypto/rsa.js';
import { limits } from '../../../protocol/limits.js';
import { verifyQuote } from '../../../protocol/quote.js';
import { refuse } from '../../../protocol/result.js';
import { refusalIn, value } from '../../fakes/results.js';
import { SoftwareTpm } from '../../fakes/swtpm.js';
import { rootStoreContract } from './contract.js';

const pcrs = [0, 4, 7, 9];

async function makeRoom() {
  const tpm = await SoftwareTpm.make();
  const folder = await mkdtemp(join(tmpdir(), 'bmonitor-root-'));
  return {
    tpm,
    folder,
    open: (where = folder) => new TpmRootStore(where, { tcti: tpm.tcti, pcrs }),
    async remove() {
      await tpm.remove();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

rootStoreContract('in a TPM', makeRoom);

interface Place {
  readonly saltKey: string;
  readonly index: string;
  readonly approval: string;
  readonly identity: { readonly public: string; readonly private: string };
}

async function placeIn(folder: string): Promise<Place> {
  return JSON.parse(await readFile(join(folder, 'root.tpm'), 'utf8')) as Place;
}

describe('the root store in a TPM under attack', function () {
  this.timeout(120_000);
  let room: Awaited<ReturnType<typeof makeRoom>>;
  beforeEach(async () => (room = await makeRoom()));
  afterEach(() => room.remove());

  it('opens after the machine started again as it was', async () => {
    const made = value(await room.open().create(2048));
    await room.tpm.reboot();
    const loaded = value(await room.open().load());
    expect(loaded.root.equals(made.root)).to.equal(true);
    expect(loaded.g.equals(made.g)).to.equal(true);
  });

  it('gives nothing to another system started on the same machine', async () => {
    value(await room.open().create(2048));
    await room.tpm.measure(4);
    expect(refusalIn(await room.open().load()).code).to.equal('tpm-measured-otherwise');
  });

  it('lets nobody replace G once something else was measured', async () => {
    const store = room.open();
    const made = value(await store.create(2048));
    await room.tpm.measure(9);
    expect(refusalIn(await store.replaceG(made.root)).code).to.equal('tpm-measured-otherwise');
    await room.tpm.reboot();
    expect(value(await room.open().load()).g.equals(made.g)).to.equal(true);
  });

  it('lets nobody replace G once something else was measured, with what was made ready before it either', async () => {
    const store = room.open();
    const made = value(await store.create(2048));
    for (let round = 0; round < 3; round += 1) value(await store.replaceG(made.root));
    await room.tpm.measure(9);
    expect(refusalIn(await store.replaceG(made.g)).code).to.equal('tpm-measured-otherwise');
    await store.close();
    await room.tpm.reboot();
    expect(value(await room.open().load()).g.equals(made.root)).to.equal(true);
  });

  it('goes on when the TPM has lost the sessions that were made ready', async () => {
    const store = room.open();
    const made = value(await store.create(2048));
    value(await store.replaceG(made.root));
    value(await room.tpm.tools.run('tpm2_flushcontext', ['-s']));
    value(await store.replaceG(made.g));
    // Without a resource manager a TPM has room for the sessions of one.
    await store.close();
    expect(value(await room.open().load()).g.equals(made.g)).to.equal(true);
  });

  it('goes on when programs that were killed have left the TPM full of sessions', async () => {
    const store = room.open();
    const made = value(await store.create(2048));
    const { tools } = room.tpm;
    let started = 0;
    while ((await tools.run('tpm2_startauthsession', ['-S', '/dev/null'])).ok && started < 256) started += 1;
    expect(started).to.be.within(1, 255);
    value(await store.replaceG(made.root));
    await store.close();
    expect(value(await room.open().load()).g.equals(made.root)).to.equal(true);
  });

  it('lets nobody sign with N once something else was measured, nor by a password, nor decrypt with it', async () => {
    const { identity } = value(await room.open().create(2048));
    await identity.signature(Buffer.from('as it was made'));
    const blobs = await placeIn(room.folder);
    const { tools } = room.tpm;
    const files = { public: join(room.folder, 'n.pub'), private: join(room.folder, 'n.priv') };
    for (const part of ['public', 'private'] as const)
      await writeFile(files[part], Buffer.from(blobs.identity[part], 'base64url'));
    const context = join(room.folder, 'n.ctx');
    const load = ['-Q', '-C', blobs.saltKey, '-u', files.public, '-r', files.private, '-c', context];
    value(await tools.run('tpm2_load', load));
    const message = join(room.folder, 'message');
    await writeFile(message, Buffer.alloc(256, 1));
    const out = join(room.folder, 'out');
    const bare = await tools.run('tpm2_sign', ['-c', context, '-g', 'sha256', '-o', out, message]);
    expect(bare.ok).to.equal(false);
    const decrypted = await tools.run('tpm2_rsadecrypt', ['-c', context, '-o', out, message]);
    expect(decrypted.ok).to.equal(false);
    await tools.run('tpm2_flushcontext', ['-t']);
    const shown = value(await tools.run('tpm2_readpublic', ['-c', context])).use((bytes) =>
      Buffer.from(bytes).toString(),
    );
    expect(shown).to.match(/value: fixedtpm\|fixedparent\|sensitivedataorigin\|noda\|sign\n/);
    await tools.run('tpm2_flushcontext', ['-t']);
    await room.tpm.measure(4);
    const refused = await identity.signature(Buffer.from('something else')).then(
      () => 'signed',
      (error: Error) => error.message,
    );
    expect(refused).to.include('the TPM did not sign');
  });

  it('attests what was measured, for one purpose, and not once something else was', async () => {
    const store = room.open();
    const { identity, measured, quote } = value(await store.create(2048));
    const about = randomBytes(32);
    const quoted = value((await quote?.(about)) ?? refuse('not-measured'));
    expect(value(verifyQuote(quoted, identity.public, about))).to.equal(measured?.digest);
    const another = verifyQuote(quoted, identity.public, randomBytes(32));
    expect(refusalIn(another).code).to.equal('quote-wrong');
    const other = await makePair(2048);
    expect(refusalIn(verifyQuote(quoted, other.public, about)).code).to.equal('bad-signature');
    await room.tpm.measure(9);
    expect(refusalIn((await quote?.(about)) ?? refuse('not-measured')).code).to.equal(
      'tpm-measured-otherwise',
    );
    await store.close();
  });

  it('gives nothing on another machine, whoever brings the disk', async () => {
    value(await room.open().create(2048));
    const other = await makeRoom();
    try {
      value(await other.open().create(2048));
      await cp(join(room.folder, 'root.tpm'), join(other.folder, 'root.tpm'));
      expect(refusalIn(await other.open().load()).code).to.equal('tpm-not-the-same');
    } finally {
      await other.remove();
    }
  });

  it('has lost everything once the TPM was cleared', async () => {
    value(await room.open().create(2048));
    await room.tpm.clear();
    expect(refusalIn(await room.open().load()).code).to.equal('tpm-not-the-same');
  });

  it('gives neither secret for a password, not even to the owner of the TPM', async () => {
    value(await room.open().create(2048));
    const { tools } = room.tpm;
    const place = await placeIn(room.folder);
    for (const who of ['o', place.index])
      expect((await tools.run('tpm2_nvread', [place.index, '-C', who])).ok).to.equal(false);
  });

  it('does not serve a G that another made in the place of its own', async () => {
    const store = room.open();
    value(await store.create(2048));
    const { tools } = room.tpm;
    const { index } = await placeIn(room.folder);
    value(await tools.run('tpm2_nvundefine', ['-C', 'o', index]));
    value(await tools.run('tpm2_nvdefine', [index, '-C', 'o', '-s', '32', '-a', 'authread|authwrite']));
    expect((await room.open().load()).ok).to.equal(false);
  });

  it('opens to an approved measurement besides the present one, then to that one only', async () => {
    const { tpm } = room;
    await tpm.measure(4);
    const next = measurementOf(value(await registersNow(tpm.tools, pcrs))).toString('base64url');
    await tpm.reboot();
    const store = room.open();
    const made = value(await store.create(2048));
    value(await store.allow(next));
    value(await store.replaceG(made.root));
    await made.identity.signature(Buffer.from('while both are accepted'));
    await store.close();
    await tpm.reboot();
    // Not updated yet: it starts as before.
    expect(value(await room.open().load()).measured).to.include({ asApproved: false });
    await tpm.measure(4, 'b');
    expect(refusalIn(await room.open().load()).code).to.equal('tpm-measured-otherwise');
    await tpm.reboot();
    await tpm.measure(4);
    const updated = room.open();
    const loaded = value(await updated.load());
    expect(loaded.measured).to.deep.equal({ digest: next, asApproved: true });
    expect(loaded.identity.public.id).to.equal(made.identity.public.id);
    expect(loaded.g.equals(made.root)).to.equal(true);
    value(await updated.allow(undefined));
    value(await updated.replaceG(made.g));
    await loaded.identity.signature(Buffer.from('after the update'));
    await updated.close();
    await tpm.reboot();
    expect(refusalIn(await room.open().load()).code).to.equal('tpm-measured-otherwise');
    await tpm.measure(4);
    expect(value(await room.open().load()).measured).to.deep.equal({ digest: next, asApproved: false });
  });

  it('takes back what was approved, and nobody else can approve, not even the owner of the TPM', async () => {
    const { tpm } = room;
    await tpm.measure(4);
    const next = measurementOf(value(await registersNow(tpm.tools, pcrs)));
    await tpm.reboot();
    const store = room.open();
    value(await store.create(2048));
    value(await store.allow(next.toString('base64url')));
    value(await store.allow(undefined));
    await store.close();
    const { approval } = await placeIn(room.folder);
    const content = join(room.folder, 'policy');
    await writeFile(content, policyInIndex(policyPcr(pcrs, next)));
    for (const who of ['o', approval])
      expect((await tpm.tools.run('tpm2_nvwrite', [approval, '-C', who, '-i', content])).ok).to.equal(false);
    await tpm.reboot();
    await tpm.measure(4);
    expect(refusalIn(await room.open().load()).code).to.equal('tpm-measured-otherwise');
  });

  it('leaves nothing in a TPM that has no resource manager, however often it is used', async () => {
    const store = room.open();
    const { root } = value(await store.create(2048));
    for (let time = 0; time < 8; time += 1) {
      const another = room.open();
      value(await another.load());
      await another.close();
      value(await store.replaceG(root));
    }
    // What it keeps ready while it runs is bounded, and given back.
    const saved = value(await room.tpm.tools.run('tpm2_getcap', ['handles-saved-session']));
    const lines = saved.use((bytes) => Buffer.from(bytes).toString().trim().split('\n').length);
    expect(lines).to.be.within(1, limits.tpm_sessions_kept_max);
    await store.close();
    for (const kind of ['handles-transient', 'handles-loaded-session', 'handles-saved-session']) {
      const there = value(await room.tpm.tools.run('tpm2_getcap', [kind]));
      expect(there.length, kind).to.equal(0);
    }
  });

  it('says that it cannot reach the TPM when there is none', async () => {
    value(await room.open().create(2048));
    await room.tpm.powerOff();
    expect(refusalIn(await room.open().load()).code).to.equal('tpm-failed');
  });
});
