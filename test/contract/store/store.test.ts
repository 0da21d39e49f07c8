import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { openLevelStore } from '../../../console/store/level.js';
import type { KeyStore } from '../../../console/store/port.js';
import { MemoryStore } from '../../fakes/memory-store.js';
import { bytes, storeContract } from './contract.js';

const folder = mkdtempSync(join(tmpdir(), 'bmonitor-store-'));
let count = 0;
after(() => rmSync(folder, { recursive: true, force: true }));

async function open(path = join(folder, String(count++))): Promise<KeyStore> {
  const opened = await openLevelStore(path);
  if (!opened.ok) throw new Error(opened.refusal.detail ?? opened.refusal.code);
  return opened.value;
}

describe('the store in memory (fake)', () => storeContract(async () => new MemoryStore()));

describe('the store on level', () => {
  storeContract(async () => open());

  it('keeps everything, and its revision, across a restart', async () => {
    const path = join(folder, 'restart');
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

  it('refuses to be opened twice', async () => {
    const path = join(folder, 'twice');
    const first = await open(path);
    const second = await openLevelStore(path);
    expect(second.ok ? 'opened' : second.refusal.code).to.equal('store-in-use');
    await first.close();
  });

  it('loses no acknowledged write, and shows no half of one, when it is killed while writing', async () => {
    const path = join(folder, 'killed');
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
