import { expect } from 'chai';
import type { Store, StoreOp } from '../../../bmonitor/ports/store.js';
import { limits } from '../../../protocol/limits.js';
import { settled, type Machine } from '../../fakes/machine/machine.js';
import { FakeDisk } from '../../fakes/machine/disk.js';
import { unsoundness } from '../../fakes/machine/sound.js';
import { asked, give, leaseAt, world } from '../../fakes/machine/world.js';
import { value } from '../../fakes/results.js';

/** A disk that remembers the largest batch that was put on it. */
class WeighingDisk extends FakeDisk {
  largest = 0;

  override open(...args: Parameters<FakeDisk['open']>): Store {
    const store = super.open(...args);
    const weigh = (ops: readonly StoreOp[]): void => {
      const bytes = ops.reduce((sum, op) => sum + (op.type === 'put' ? op.value.length : 0), 0);
      this.largest = Math.max(this.largest, bytes);
    };
    return {
      get: (key) => store.get(key),
      entries: (prefix, options) => store.entries(prefix, options),
      close: () => store.close(),
      batch: (ops) => {
        weigh(ops);
        return store.batch(ops);
      },
    };
  }
}

async function rotate(machine: Machine) {
  const running = await machine.startWell();
  const command = { type: 'keys.rotate', level: 1, key: true, data: 'reencrypt' } as const;
  const given = await give(running, asked('tenant.administrator', command));
  await settled(running);
  return { running, given };
}

describe('a lease that is encrypted anew', () => {
  it('has its files carried over to a directory of another key', async () => {
    const machine = await world('tenant');
    const before = machine.directories.all();
    const { running, given } = await rotate(machine);
    value(given);
    const lease = leaseAt(running.core.state, 1);
    expect(machine.directories.read({ lease, epoch: 1 }, 'two')).to.equal(`two of ${lease}`);
    const [old, now] = [before, machine.directories.all()].map((all) =>
      all.find((one) => one.lease === lease),
    );
    expect(now?.epoch).to.equal(1);
    expect(now?.under).to.not.equal(old?.under);
    expect(await unsoundness(running, machine)).to.deep.equal([]);
  });

  it('stays as it was when somebody has its files open, or they cannot be copied', async () => {
    const machine = await world('tenant');
    const first = await machine.startWell();
    const lease = leaseAt(first.core.state, 1);
    await first.core.close();
    const store = machine.directories.open();
    const copy = value(store);
    copy.copy = () => Promise.resolve({ ok: false, refusal: { code: 'data-tool-failed' } });
    machine.directories.open = () => store;
    const { running, given } = await rotate(machine);
    value(given);
    expect(running.core.state.jobs.at(-1)).to.include({ state: 'failed', note: 'data-tool-failed' });
    expect(running.core.state.levels[1]?.epoch).to.equal(0);
    expect(machine.directories.read({ lease, epoch: 0 }, 'two')).to.equal(`two of ${lease}`);
    expect(await unsoundness(running, machine)).to.deep.equal([]);
  });

  it('moves a long history in pieces', async () => {
    const machine = await world('tenant');
    const busy = await machine.startWell();
    for (let at = 0; at < 12; at += 1) {
      const jti = String(at).padStart(22, '0');
      const command = { type: 'node.rename', name: `node-${at}` } as const;
      await busy.core.act({
        level: 0,
        lease: leaseAt(busy.core.state, 0),
        console: busy.core.state.levels[0].roster[0]?.id ?? '',
        jti,
        command,
        statement: 'x'.repeat(limits.journal_piece_bytes / 8),
        provenNew: true,
      });
    }
    await busy.core.close();
    const disk = new WeighingDisk();
    disk.tamper((entries) => {
      for (const key of machine.disk.keys()) entries.set(key, machine.disk.valueAt(key) ?? new Uint8Array());
    });
    machine.disk = disk;
    const running = await machine.startWell();
    const command = { type: 'keys.rotate', level: 0, key: false, data: 'reencrypt' } as const;
    value(await give(running, asked('landlord.administrator', command)));
    await settled(running);
    expect(disk.largest).to.be.within(limits.journal_piece_bytes, 1.25 * limits.journal_piece_bytes);
    expect(await unsoundness(running, machine)).to.deep.equal([]);
  });
});
