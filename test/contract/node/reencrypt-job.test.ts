import { expect } from 'chai';
import type { Command } from '../../../protocol/commands.js';
import { settled, type Machine, type Running } from '../../fakes/machine/machine.js';
import { unsoundness } from '../../fakes/machine/sound.js';
import { asked, give, leaseAt, nowOf, world } from '../../fakes/machine/world.js';
import { refusalIn, value } from '../../fakes/results.js';

const admin = 'tenant.administrator';
const reencrypt: Command = { type: 'keys.rotate', level: 1, key: false, data: 'reencrypt' };

/** A machine whose directories are copied for as long as the test wants. */
async function slow(): Promise<{ machine: Machine; running: Running; lease: string; letGo: () => void }> {
  const machine = await world('tenant');
  const store = machine.directories.open();
  const directories = value(store);
  const copy = directories.copy.bind(directories);
  let letGo = (): void => {};
  directories.copy = async (from, to, watch) => {
    watch?.progress(1, 2);
    await new Promise<void>((resolve) => {
      letGo = resolve;
      watch?.signal.addEventListener('abort', () => resolve());
    });
    return copy(from, to, watch);
  };
  machine.directories.open = () => store;
  const running = await machine.startWell();
  return { machine, running, lease: leaseAt(running.core.state, 1), letGo: () => letGo() };
}

async function begun({ running }: { running: Running }): Promise<string> {
  const { result } = value(await give(running, asked(admin, reencrypt)));
  const job = String(result['job']);
  while (jobOf(running, job)?.total === 0) await new Promise((resolve) => setImmediate(resolve));
  return job;
}

const jobOf = ({ core }: Running, id: string) => core.state.jobs.find((job) => job.id === id);

describe('a re-encryption', () => {
  it('lets the node go on meanwhile, says how far it is, and holds up the engines of its own lease only', async () => {
    const { machine, running, lease, letGo } = await slow();
    const put = await give(running, asked(admin, { type: 'node.label', labels: ['before'] }));
    value(put);
    const job = await begun({ running });
    expect(jobOf(running, job)).to.include({ state: 'running', done: 1, total: 2 });
    // While it is under way every other command acts.
    value(await give(running, asked('landlord.operator', { type: 'node.rename', name: 'other' })));
    value(await give(running, asked(admin, { type: 'node.label', labels: ['meanwhile'] })));
    expect(refusalIn(await running.directories.need(lease)).code).to.equal('data-moving');
    expect(running.core.state.levels[1]?.epoch).to.equal(0);
    letGo();
    await settled(running);
    expect(jobOf(running, job)).to.include({ state: 'done' });
    expect(running.core.state.levels[1]?.epoch).to.equal(1);
    value(await running.directories.need(lease));
    expect(await unsoundness(running, machine)).to.deep.equal([]);
  });

  it('is cancelled without a trace: the data is where it was, under the key it had', async () => {
    const { machine, running, lease } = await slow();
    const before = machine.directories.all().find((one) => one.lease === lease)?.under;
    const job = await begun({ running });
    value(await give(running, asked(admin, { type: 'job.cancel', job })));
    await running.jobs.stop();
    await settled(running);
    expect(running.core.state.levels[1]?.epoch).to.equal(0);
    const all = machine.directories.all().filter((one) => one.lease === lease);
    expect(all.map((one) => one.under)).to.deep.equal([before]);
    expect(machine.directories.read({ lease, epoch: 0 }, 'two')).to.equal(`two of ${lease}`);
    expect(await unsoundness(running, machine)).to.deep.equal([]);
  });

  it('ends with the lease, and nothing of either copy is left', async () => {
    const { machine, running, lease } = await slow();
    await begun({ running });
    value(await give(running, asked('landlord.administrator', { type: 'lease.end', lease })));
    await running.jobs.stop();
    expect(machine.directories.all().filter((one) => one.lease === lease)).to.deep.equal([]);
    expect(await unsoundness(running, machine)).to.deep.equal([]);
  });

  it('waits in the dark, and begins anew when the lease is extended', async () => {
    const { machine, running, lease, letGo } = await slow();
    const job = await begun({ running });
    machine.clock.pass(10 * 3600);
    await running.core.passTime();
    expect(jobOf(running, job)).to.include({ state: 'running' });
    expect(machine.directories.all().filter((one) => one.lease === lease && one.open)).to.deep.equal([]);
    const until = nowOf(machine) + 3600;
    value(await give(running, asked('landlord.administrator', { type: 'lease.extend', lease, until })));
    while (!machine.directories.all().some((one) => one.lease === lease && one.epoch === 1))
      await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    letGo();
    await settled(running);
    expect(jobOf(running, job)).to.include({ state: 'done' });
    expect(await unsoundness(running, machine)).to.deep.equal([]);
  });

  it('is broken off when the data is destroyed, and what is new then gets a place that it never had', async () => {
    const { machine, running, lease } = await slow();
    const job = await begun({ running });
    const destroy: Command = { type: 'keys.rotate', level: 1, key: true, data: 'destroy', destroys: [lease] };
    value(await give(running, asked(admin, destroy)));
    await running.jobs.stop();
    expect(jobOf(running, job)).to.include({ state: 'cancelled', note: 'the data was destroyed' });
    expect(running.core.state.levels[1]?.epoch).to.equal(2);
    expect(machine.directories.all().filter((one) => one.lease === lease)).to.deep.equal([]);
    expect(await unsoundness(running, machine)).to.deep.equal([]);
  });

  it('is not begun twice for one lease', async () => {
    const { running, letGo } = await slow();
    await begun({ running });
    expect(refusalIn(await give(running, asked(admin, reencrypt))).code).to.equal('too-many-jobs');
    letGo();
    await settled(running);
  });

  it('carries along what came into the history while it was copied, and leaves out what was trimmed', async () => {
    const { machine, running, lease, letGo } = await slow();
    await begun({ running });
    value(await give(running, asked(admin, { type: 'node.label', labels: ['meanwhile'] })));
    const head = running.core.state.levels[1]?.history.head;
    value(await give(running, asked(admin, { type: 'history.trim', before: 2, head: head?.digest ?? '' })));
    letGo();
    await settled(running);
    expect(running.core.state.levels[1]?.history.first).to.equal(2);
    expect(machine.disk.keys().filter((key) => key.startsWith(`h/${lease}/0/`))).to.deep.equal([]);
    expect(await unsoundness(running, machine)).to.deep.equal([]);
  });
});
