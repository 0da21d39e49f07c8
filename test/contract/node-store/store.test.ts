import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { openLevelStore } from '../../../bmonitor/host/store-level.js';
import { FakeDisk } from '../../fakes/machine/disk.js';
import { Power } from '../../fakes/machine/power.js';
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

  it('is opened by one process at a time', async () => {
    const path = join(folder, 'twice');
    const first = value(await openLevelStore(path));
    expect(refusalIn(await openLevelStore(path)).code).to.equal('store-damaged');
    await first.close();
  });
});
