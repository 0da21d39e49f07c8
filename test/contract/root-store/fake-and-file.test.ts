import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { FileRootStore } from '../../../bmonitor/host/root-store-file.js';
import type { RootSecrets } from '../../../bmonitor/ports/root-store.js';
import { newKey } from '../../../bmonitor/keys/ring.js';
import { Power } from '../../fakes/machine/power.js';
import { FakeChip } from '../../fakes/machine/roots.js';
import { refusalIn, value } from '../../fakes/results.js';
import { rootStoreContract } from './contract.js';

rootStoreContract('in memory (fake)', () => {
  const chip = new FakeChip();
  return Promise.resolve({ open: () => chip.open(), remove: () => Promise.resolve() });
});

describe('the root store in memory (fake), when it is stopped', () => {
  for (const [at, expected] of [
    [1, 'the old G'],
    [2, 'the new G'],
  ] as const)
    it(`leaves ${expected} when it is stopped at point ${at} of replacing it`, async () => {
      const chip = new FakeChip();
      const old = value(await chip.open().create(2048)).g;
      const power = new Power({ at, by: 'power' });
      const next = newKey();
      void chip.open(power).replaceG(next);
      await power.stopped;
      const { g } = value(await chip.open().load());
      expect(g.equals(at === 1 ? old : next)).to.equal(true);
    });
});

describe('the root store in a file, when something went wrong', () => {
  let folder: string;
  let count = 0;
  before(async () => (folder = await mkdtemp(join(tmpdir(), 'bmonitor-roots-'))));
  after(() => rm(folder, { recursive: true, force: true }));

  async function fresh(): Promise<string> {
    return mkdtemp(join(folder, `${count++}-`));
  }

  it('is a file that only its owner reads, and the only one that is left', async () => {
    const path = await fresh();
    const store = new FileRootStore(path);
    value(await store.create(2048));
    value(await store.replaceG(newKey()));
    expect(await readdir(path)).to.deep.equal(['identity.sealed', 'root.secret']);
    expect((await stat(join(path, 'root.secret'))).mode & 0o777).to.equal(0o600);
  });

  it('holds the old G when a replacement was cut off before the new file took its place', async () => {
    const path = await fresh();
    const made = value(await new FileRootStore(path).create(2048));
    await writeFile(join(path, 'root.secret.new'), 'half');
    expect(same(value(await new FileRootStore(path).load()), made)).to.equal(true);
    const store = new FileRootStore(path);
    value(await store.load());
    value(await store.replaceG(newKey()));
    expect(await readdir(path)).to.deep.equal(['identity.sealed', 'root.secret']);
  });

  it('refuses a file of another length instead of reading half a key', async () => {
    const path = await fresh();
    await writeFile(join(path, 'root.secret'), Buffer.alloc(63));
    expect(refusalIn(await new FileRootStore(path).load()).code).to.equal('store-damaged');
  });

  it('does not take an unreadable file for a node that was never made', async () => {
    const path = await fresh();
    await mkdir(join(path, 'root.secret'));
    expect(await new FileRootStore(path).exists()).to.equal(true);
  });
});

function same(one: RootSecrets, other: RootSecrets): boolean {
  return one.root.equals(other.root) && one.g.equals(other.g);
}
