import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { openPair, publicOf, sealPair } from '../../../console/keys/file.js';
import { newPassphraseFrom, passphraseFrom } from '../../../console/keys/passphrase.js';
import { exportPkcs12, importPkcs12, samePair } from '../../../console/keys/pkcs12.js';
import { makePair, type Pair } from '../../../crypto/rsa.js';
import { Secret } from '../../../crypto/secret.js';
import type { Result } from '../../../protocol/result.js';

const secret = (text: string): Secret => Secret.take(Buffer.from(text));
const codeOf = (result: Result<unknown>): string => (result.ok ? 'ok' : result.refusal.code);

describe('the key of a console', () => {
  let pair: Pair;
  let folder: string;
  before(async () => {
    pair = await makePair(2048);
    folder = mkdtempSync(join(tmpdir(), 'bmonitor-keys-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('comes back from its file with the passphrase, and only with it', async () => {
    const file = await sealPair(pair, secret('four random words'));
    const opened = await openPair(file, secret('four random words'));
    if (!opened.ok) throw new Error(opened.refusal.code);
    expect(samePair(opened.value, pair)).to.equal(true);
    expect(codeOf(await openPair(file, secret('four random word')))).to.equal('wrong-passphrase');
    const shown = publicOf(file);
    expect(shown.ok && shown.value.id).to.equal(pair.public.id);
    expect(file).not.to.include('PRIVATE');
  }).timeout(30_000);

  it('refuses a file whose public half, salt or cost was changed', async () => {
    const file = await sealPair(pair, secret('four random words'));
    const other = await makePair(2048);
    const swapped = file.replace(pair.public.jwk.n, other.public.jwk.n);
    expect(codeOf(await openPair(swapped, secret('four random words')))).to.equal('wrong-passphrase');
    const weaker = file.replace('"n": 131072', '"n": 1024');
    expect(weaker).not.to.equal(file);
    expect(codeOf(await openPair(weaker, secret('four random words')))).to.equal('bad-input');
    expect(codeOf(await openPair('{}', secret('four random words')))).to.equal('bad-input');
  }).timeout(30_000);

  it('is backed up as PKCS#12 that OpenSSL reads, and restored from it', () => {
    const backup = exportPkcs12(pair, 'console of a test', secret('an export passphrase'));
    const path = join(folder, 'backup.p12');
    writeFileSync(path, backup);
    const passwordFile = join(folder, 'password');
    writeFileSync(passwordFile, 'an export passphrase');
    const args = ['pkcs12', '-in', path, '-passin', `file:${passwordFile}`, '-nodes'];
    const read = spawnSync('openssl', args, { encoding: 'utf8' });
    expect(read.status, read.stderr).to.equal(0);
    expect(read.stdout).to.include('BEGIN CERTIFICATE').and.include('BEGIN PRIVATE KEY');
    const verified = spawnSync('openssl', ['x509', '-noout', '-subject'], {
      input: read.stdout,
      encoding: 'utf8',
    });
    expect(verified.stdout).to.include('console of a test');
    const restored = importPkcs12(backup, secret('an export passphrase'));
    if (!restored.ok) throw new Error(restored.refusal.code);
    expect(samePair(restored.value, pair)).to.equal(true);
    expect(codeOf(importPkcs12(backup, secret('another passphrase')))).to.equal('wrong-passphrase');
    expect(codeOf(importPkcs12(Buffer.from('rubbish'), secret('x')))).to.equal('bad-input');
  }).timeout(60_000);

  it('takes its passphrase from a file that only the owner can read', async () => {
    const path = join(folder, 'passphrase');
    writeFileSync(path, 'four random words\n', { mode: 0o600 });
    const read = await passphraseFrom(path, '');
    expect(read.ok && read.value.equals(secret('four random words'))).to.equal(true);
    chmodSync(path, 0o644);
    expect(codeOf(await passphraseFrom(path, ''))).to.equal('open-secret-file');
    chmodSync(path, 0o600);
    writeFileSync(path, 'short\n');
    expect(codeOf(await newPassphraseFrom(path))).to.equal('weak-passphrase');
    writeFileSync(path, '\n');
    expect(codeOf(await passphraseFrom(path, ''))).to.equal('bad-input');
    expect(codeOf(await passphraseFrom(join(folder, 'nowhere'), ''))).to.equal('not-found');
  });
});
