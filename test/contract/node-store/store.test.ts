import { readdirSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { openLevelStore } from '../../../bmonitor/host/store-level.js';
import { FakeDisk } from '../../fakes/machine/disk.js';
import { Power } from '../../fakes/machine/power.js';
import { limits } from '../../../protocol/limits.js';
import { until } from '../../fakes/until.js';
import { refusalIn, value } from '../../fakes/results.js';
import { storeContract } from './store-contract.js';

describe('the node’s store in memory (fake)', () => {
  storeContract(() => Promise.resolve(new FakeDisk().open()));

  for (const by of ['kill', 'power'] as const)
    for (const [at, expected] of [
      [1, []],
      [2, by === 'kill' ? ['a', 'b'] : []],
      [3, ['a', 'b']],
    ] as const)
      it(`has a batch whole or not at all when it is stopped at point ${at} by ${by}`, async () => {
        const disk = new FakeDisk();
        const power = new Power({ at, by });
        const value = Buffer.from('1');
        void disk.open(power).batch(['a', 'b'].map((key) => ({ type: 'put', key, value })));
        await power.stopped;
        expect(disk.keys()).to.deep.equal(expected);
      });
});

describe('the node’s store on LevelDB', () => {
  let folder: string;
  let count = 0;
  before(async () => (folder = await mkdtemp(join(tmpdir(), 'bmonitor-node-store-'))));
  after(() => rm(folder, { recursive: true, force: true }));

  storeContract(async () => value(await openLevelStore(join(folder, String(count++)))));

  it('keeps everything across a restart', async () => {
    const path = join(folder, 'restart');
    const first = value(await openLevelStore(path));
    await first.batch([{ type: 'put', key: 'a', value: Buffer.from('1') }]);
    await first.close();
    const second = value(await openLevelStore(path));
    expect(Buffer.from((await second.get('a')) ?? []).toString()).to.equal('1');
    await second.close();
  });

  it('moves to where it stays what it held in memory too, once that is much, and loses nothing by it', async () => {
    const path = join(folder, 'settled');
    const store = value(await openLevelStore(path));
    const logged = (): number =>
      readdirSync(path)
        .filter((name) => name.endsWith('.log'))
        .reduce((sum, name) => sum + statSync(join(path, name)).size, 0);
    const state = Buffer.alloc(16 * 1024, 7);
    const write = (at: number): Promise<void> =>
      store.batch([
        { type: 'put', key: `root/${at}`, value: state },
        { type: 'del', key: `root/${at - 1}` },
        { type: 'put', key: `h/${at}`, value: Buffer.from(String(at)) },
      ]);
    await write(0);
    const before = logged();
    await store.settle();
    expect(logged()).to.equal(before);
    for (let at = 1; at < 20; at += 1) await write(at);
    expect(logged()).to.be.greaterThan(limits.store_held_bytes_max);
    await store.settle();
    await until(() => logged() < 16 * 1024);
    expect(await store.get('root/19')).to.deep.equal(new Uint8Array(state));
    await store.close();
    const again = value(await openLevelStore(path));
    const keys: string[] = [];
    for await (const [key] of again.entries('')) keys.push(key);
    expect(keys).to.have.length(21).and.to.include.members(['root/19', 'h/0', 'h/19']);
    await again.close();
  });

  it('is opened by one process at a time', async () => {
    const path = join(folder, 'twice');
    const first = value(await openLevelStore(path));
    expect(refusalIn(await openLevelStore(path)).code).to.equal('store-damaged');
    await first.close();
  });
});
