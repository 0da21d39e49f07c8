import { spawn } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { makePair } from '../../../crypto/rsa.js';
import { selfSignedPem } from '../../../crypto/certificate.js';
import { Secret } from '../../../crypto/secret.js';
import { newToken, tokenDigest } from '../../../console/api/access.js';
import { openLevelStore } from '../../../console/store/level.js';
import type { KeyStore } from '../../../console/store/port.js';
import { openRemoteStore } from '../../../console/store/remote.js';
import { serveStore } from '../../../console/store/service.js';
import { limits } from '../../../protocol/limits.js';
import { silentLog } from '../../../protocol/log.js';
import { certificatePin } from '../../../protocol/pin.js';
import { TemporaryFolder } from '../../fakes/folder.js';
import { value } from '../../fakes/results.js';
import { until } from '../../fakes/until.js';
import { MemoryStore } from '../../fakes/memory-store.js';
import { bytes, storeContract } from './contract.js';

async function testCertificate(): Promise<{ cert: string; key: string }> {
  const pair = await makePair(2048);
  return {
    cert: selfSignedPem(pair, 'store', ['127.0.0.1']),
    key: pair.private.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

const folder = new TemporaryFolder('store');
let count = 0;
after(() => folder.remove());

async function open(path = join(folder.path, String(count++))): Promise<KeyStore> {
  const opened = await openLevelStore(path);
  if (!opened.ok) throw new Error(opened.refusal.detail ?? opened.refusal.code);
  return opened.value;
}

describe('the store in memory (fake)', () => storeContract(async () => new MemoryStore()));

describe('the store behind a store service', () => {
  const tls = testCertificate();
  const token = newToken();

  /** A service of its own for each store, ended with it. */
  async function remote(shown = token): Promise<KeyStore> {
    const service = value(
      await serveStore({
        store: await open(),
        host: '127.0.0.1',
        port: 0,
        tls: await tls,
        token: tokenDigest(token),
        log: silentLog,
      }),
    );
    const url = `wss://127.0.0.1:${service.port}`;
    const pin = certificatePin((await tls).cert);
    const opened = await openRemoteStore({
      url,
      pin,
      token: Secret.take(Buffer.from(shown)),
      lost: () => {},
    });
    if (!opened.ok) {
      await service.close();
      throw new Error(opened.refusal.code);
    }
    const close = opened.value.close.bind(opened.value);
    opened.value.close = async () => {
      await close();
      await service.close();
    };
    return opened.value;
  }

  storeContract(async () => remote());

  it('lets nobody in who does not know its token', async () => {
    const why = await remote(newToken()).then(
      () => 'in',
      (error: Error) => error.message,
    );
    expect(why).to.equal('store-stranger');
  });

  it('refuses what is asked after the service went away, and says so once', async () => {
    const service = value(
      await serveStore({
        store: await open(),
        host: '127.0.0.1',
        port: 0,
        tls: await tls,
        token: tokenDigest(token),
        log: silentLog,
      }),
    );
    const said: string[] = [];
    const store = value(
      await openRemoteStore({
        url: `wss://127.0.0.1:${service.port}`,
        pin: certificatePin((await tls).cert),
        token: Secret.take(Buffer.from(token)),
        lost: (why) => said.push(why),
      }),
    );
    await service.close();
    await until(() => said.length === 1);
    const write = await store.write([{ type: 'put', key: 'a', value: bytes('1') }]);
    expect(write.ok ? 'done' : write.refusal.code).to.equal('store-away');
    await store.close();
    expect(said).to.have.length(1);
  });

  it('sends a page that would fill a frame in several, which meet without a gap', async () => {
    const store = await remote();
    const size = limits.store_page_bytes_max / 2;
    for (const key of ['a', 'b', 'c', 'd', 'e'])
      await store.write([{ type: 'put', key, value: new Uint8Array(size) }]);
    const first = await store.range({ prefix: '' });
    expect(first.more).to.equal(true);
    const last = first.entries.at(-1)?.key ?? '';
    const second = await store.range({ prefix: '', after: last });
    const seen = [...first.entries, ...second.entries].map(({ key }) => key);
    expect(seen.join('')).to.equal('abcde'.slice(0, seen.length));
    await store.close();
  });
});

describe('the store on level', () => {
  storeContract(async () => open());

  it('keeps everything, and its revision, across a restart', async () => {
    const path = join(folder.path, 'restart');
    const first = await open(path);
    await first.write([{ type: 'put', key: 'a', value: bytes('1') }]);
    const second = await first.write([{ type: 'put', key: 'a', value: bytes('2') }]);
    await first.close();
    const again = await open(path);
    expect((await again.get('a'))?.revision).to.equal(second.ok && second.value);
    const third = await again.write([]);
    expect(third.ok && second.ok && third.value === second.value + 1).to.equal(true);
    await again.close();
  });

  /** What opening a store says of it; one that opens is closed again. */
  const opening = async (path: string): Promise<string> => {
    const opened = await openLevelStore(path);
    if (!opened.ok) return `${opened.refusal.code} ${opened.refusal.detail}`;
    await opened.value.close();
    return 'opened';
  };
  const filled = async (path: string): Promise<void> => {
    const store = await open(path);
    for (let i = 0; i < 50; i++)
      await store.write([{ type: 'put', key: `k/${i}`, value: bytes(`value-${i}-${'x'.repeat(50)}`) }]);
    await store.close();
  };

  it('refuses to open when the disk gives back another byte than it was given, wherever that is', async () => {
    for (const at of [0, 25, 49]) {
      const path = join(folder.path, `altered-${at}`);
      await filled(path);
      let altered = 0;
      for (const name of readdirSync(path)) {
        const file = join(path, name);
        const content = readFileSync(file);
        const place = content.indexOf(`value-${at}-`);
        if (place === -1) continue;
        content[place + 9] = (content[place + 9] ?? 0) ^ 1;
        writeFileSync(file, content);
        altered += 1;
      }
      expect(altered, 'it was found on the disk').to.be.greaterThan(0);
      expect(await opening(path), `record ${at}`).to.match(/^store-unreadable /);
    }
  });

  it('refuses to open when files of it are gone, or are those of an earlier day', async () => {
    const path = join(folder.path, 'older');
    await filled(path);
    expect(await opening(path)).to.equal('opened');
    const older = join(folder.path, 'older-copy');
    cpSync(path, older, { recursive: true });
    const store = await open(path);
    await store.write([{ type: 'delete', key: 'k/1' }]);
    await store.close();
    rmSync(path, { recursive: true });
    cpSync(older, path, { recursive: true });
    expect(await opening(path)).to.match(/^store-unreadable .*closed at revision 51 and stands at 50/);
    rmSync(path, { recursive: true });
    expect(await opening(path), 'all of it').to.match(/^store-unreadable /);
    for (const gone of [/^MANIFEST/, /\.(log|ldb)$/]) {
      const other = join(folder.path, `gone-${gone.source.length}`);
      await filled(other);
      for (const name of readdirSync(other)) if (gone.test(name)) rmSync(join(other, name));
      expect(await opening(other), gone.source).to.match(/^store-unreadable /);
    }
  });

  it('opens again after it was killed, which is no damage', async () => {
    const path = join(folder.path, 'killed-once');
    const writer = fileURLToPath(new URL('writer.js', import.meta.url));
    const child = spawn(process.execPath, [writer, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = new Promise((resolve) => child.once('exit', resolve));
    for await (const line of createInterface({ input: child.stdout }))
      if (line === '20') child.kill('SIGKILL');
    await exited;
    expect(await opening(path)).to.equal('opened');
    expect(await opening(path)).to.equal('opened');
  });

  it('refuses to be opened twice', async () => {
    const path = join(folder.path, 'twice');
    const first = await open(path);
    const second = await openLevelStore(path);
    expect(second.ok ? 'opened' : second.refusal.code).to.equal('store-in-use');
    await first.close();
  });

  it('loses no acknowledged write, and shows no half of one, when it is killed while writing', async () => {
    const path = join(folder.path, 'killed');
    const writer = fileURLToPath(new URL('writer.js', import.meta.url));
    for (let round = 1; round <= 3; round++) {
      const child = spawn(process.execPath, [writer, path], { stdio: ['ignore', 'pipe', 'inherit'] });
      const exited = new Promise((resolve) => child.once('exit', resolve));
      let acknowledged = -1;
      for await (const line of createInterface({ input: child.stdout })) {
        acknowledged = Number(line);
        if (acknowledged % 100 === 99) child.kill('SIGKILL');
      }
      await exited;
      expect(acknowledged).to.be.greaterThan(-1);
      const store = await open(path);
      const left = Number(new TextDecoder().decode((await store.get('left'))?.value));
      const right = Number(new TextDecoder().decode((await store.get('right'))?.value));
      expect(left).to.equal(right);
      expect(left).to.be.at.least(acknowledged);
      await store.close();
    }
  }).timeout(60_000);
});
