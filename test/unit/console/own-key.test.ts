import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { makePair, type Pair } from '../../../crypto/rsa.js';
import { Secret } from '../../../crypto/secret.js';
import { consoleFiles, type ConsoleFiles } from '../../../console/daemon/files.js';
import { openVault, reboxVault } from '../../../console/daemon/vault.js';
import { KeySealer, sealPair } from '../../../console/keys/file.js';
import { openOwnKey } from '../../../console/keys/rotation.js';
import { MemoryStore } from '../../fakes/memory-store.js';
import { refusalIn, value } from '../../fakes/results.js';

const passphrase = (): Secret => Secret.take(Buffer.from('four random words'));

describe('the key of a console that was stopped while it was replaced', function () {
  // Stretching a passphrase is meant to take its time.
  this.timeout(60_000);
  let folder: string;
  let files: ConsoleFiles;
  let first: Pair;
  let second: Pair;
  let sealer: KeySealer;
  let sealed: { readonly first: string; readonly second: string };
  before(async () => {
    [first, second] = await Promise.all([makePair(2048), makePair(2048)]);
    const content = await sealPair(first, passphrase());
    sealer = value(await KeySealer.of(content, passphrase()));
    sealed = { first: content, second: sealer.seal(second) };
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'bmonitor-own-key-'));
    files = consoleFiles(folder);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** Which file holds which key, and what a start makes of it. */
  function opened(lying: Partial<Record<'key' | 'nextKey' | 'oldKey', 'first' | 'second'>>): string {
    for (const [file, which] of Object.entries(lying) as ['key' | 'nextKey' | 'oldKey', 'first' | 'second'][])
      writeFileSync(files[file], sealed[which], { mode: 0o600 });
    const pair = lying.key === 'second' ? second : first;
    const own = value(openOwnKey(files, pair, sealer));
    const name = (one: Pair | undefined): string =>
      one === undefined ? '-' : one.public.id === first.public.id ? 'first' : 'second';
    return `next ${name(own.next)}, old ${name(own.old)}`;
  }

  it('goes on where it stood, at each step of the change of places', () => {
    expect(opened({ key: 'first' })).to.equal('next -, old -');
    expect(opened({ key: 'first', nextKey: 'second' })).to.equal('next second, old -');
    expect(opened({ key: 'first', nextKey: 'second', oldKey: 'first' })).to.equal('next second, old -');
    expect(opened({ key: 'second', nextKey: 'second', oldKey: 'first' })).to.equal('next -, old first');
    rmSync(files.nextKey);
    expect(opened({ key: 'second', oldKey: 'first' })).to.equal('next -, old first');
  });

  it('is under the same passphrase, and refuses what lies there under another', async () => {
    const again = value(await KeySealer.of(sealed.second, passphrase()));
    expect(value(again.open(sealed.second)).public.id).to.equal(second.public.id);
    const other = await sealPair(second, Secret.take(Buffer.from('another passphrase')));
    writeFileSync(files.key, sealed.first, { mode: 0o600 });
    writeFileSync(files.nextKey, other, { mode: 0o600 });
    expect(refusalIn(openOwnKey(files, first, sealer)).code).to.equal('wrong-passphrase');
  });

  it('opens the vault before, between and after, and the one before opens it no more', async () => {
    const store = new MemoryStore();
    const kept = value(await openVault(store, first)).seal('share', Secret.take(Buffer.alloc(32, 7)));
    const reads = async (pair: Pair): Promise<boolean> => {
      const vault = await openVault(store, pair);
      return vault.ok && vault.value.open('share', kept) !== undefined;
    };
    expect([await reads(first), await reads(second)]).to.deep.equal([true, false]);
    // Twice, as after a crash in between.
    value(await reboxVault(store, first, second));
    value(await reboxVault(store, first, second));
    expect([await reads(first), await reads(second)]).to.deep.equal([true, true]);
    value(await reboxVault(store, second));
    expect([await reads(first), await reads(second)]).to.deep.equal([false, true]);
  });
});
