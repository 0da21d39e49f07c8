import { expect } from 'chai';
import { updated } from '../fakes/key-samples.js';
import type { Machine, Running } from '../fakes/machine/machine.js';
import { asked, give, leaseAt, nowOf, world } from '../fakes/machine/world.js';
import { refusalIn, value } from '../fakes/results.js';
import { unsoundness } from '../fakes/machine/sound.js';

const approve = { type: 'measurement.approve', digest: updated } as const;
const withdraw = { type: 'measurement.withdraw' } as const;

/** A landlord and a tenant, each with a K. */
async function keyed(): Promise<{ machine: Machine; running: Running }> {
  const machine = await world('tenant');
  const running = await machine.startWell();
  value(await give(running, asked('landlord.administrator', { type: 'keys.make' })));
  return { machine, running };
}

/** The same machine, started again with the update. */
async function startUpdated(machine: Machine): Promise<boolean> {
  machine.chip.measures = updated;
  return (await machine.start())?.ok ?? false;
}

describe('an update of what the machine measures', function () {
  this.timeout(60_000);

  it('signed by only one level opens nothing, whichever it is', async () => {
    for (const party of ['landlord', 'tenant']) {
      const { machine, running } = await keyed();
      const said = value(await give(running, asked(`${party}.administrator`, approve)));
      expect(said.result).to.deep.include({ inForce: false });
      await running.core.close();
      expect(await startUpdated(machine)).to.equal(false);
    }
  });

  it('signed by nobody opens nothing', async () => {
    const { machine, running } = await keyed();
    await running.core.close();
    expect(await startUpdated(machine)).to.equal(false);
  });

  it('signed by every level that has a K opens everything, and from then on the old one opens nothing', async () => {
    const { machine, running } = await keyed();
    const before = machine.chip.measures;
    for (const party of ['landlord', 'tenant'])
      value(await give(running, asked(`${party}.administrator`, approve)));
    await running.core.close();
    // Until then the machine may also start as it was.
    await (await machine.startWell()).core.close();
    machine.chip.measures = updated;
    const after = await machine.startWell();
    expect(after.core.state.approval).to.equal(undefined);
    expect(await unsoundness(after, machine)).to.deep.equal([]);
    await after.core.close();
    machine.chip.measures = before;
    expect((await machine.start())?.ok).to.equal(false);
    machine.chip.measures = updated;
    await machine.startWell();
  });

  it('is void when a lease, a K or a roster changed in between', async () => {
    const changes = (running: Running, machine: Machine) => [
      asked('landlord.administrator', { type: 'lease.end', lease: leaseAt(running.core.state, 1) }),
      asked('landlord.administrator', {
        type: 'lease.extend',
        lease: leaseAt(running.core.state, 1),
        until: nowOf(machine) + 99 * 3600,
      }),
      asked('tenant.administrator', { type: 'keys.rotate', level: 1, key: true, data: 'keep' }),
    ];
    for (const at of [0, 1, 2]) {
      const { machine, running } = await keyed();
      for (const party of ['landlord', 'tenant'])
        value(await give(running, asked(`${party}.administrator`, approve)));
      const change = changes(running, machine)[at];
      if (change) value(await give(running, change));
      expect(running.core.state.approval).to.equal(undefined);
      await running.core.close();
      expect(await startUpdated(machine)).to.equal(false);
    }
  });

  it('is void too when the void was durable and the machine stopped before the TPM heard of it', async () => {
    for (let at = 1; at < 12; at += 1) {
      const { machine: other, running: again } = await keyed();
      for (const party of ['landlord', 'tenant'])
        value(await give(again, asked(`${party}.administrator`, approve)));
      again.power.stopAt({ at, by: 'power' });
      const answer = await Promise.race([
        give(again, asked('tenant.administrator', withdraw)),
        again.power.stopped.then(() => undefined),
      ]);
      const opens = await startUpdated(other.copy());
      // Once the withdrawal was answered nothing opens; before, the state that is there decides.
      if (answer?.ok) expect(opens, `stopped at ${at}`).to.equal(false);
      if (answer?.ok) break;
    }
  });

  it('is not approved by an old word: neither given again, nor from a disk that was put back', async () => {
    const { machine, running } = await keyed();
    const first = asked('landlord.administrator', approve);
    value(await give(running, first));
    value(await give(running, asked('tenant.administrator', approve)));
    const old = machine.disk.copy();
    value(await give(running, asked('tenant.administrator', withdraw)));
    // The very same command acts once; under another id it is refused without a nonce.
    value(await give(running, first));
    expect(running.core.state.approval).to.equal(undefined);
    const stale = { ...asked('landlord.administrator', approve) };
    expect(refusalIn(await give(running, stale, false)).code).to.equal('nonce-needed');
    await running.core.close();
    machine.disk = old;
    expect((await machine.start())?.ok).to.equal(false);
  });

  it('is nobody’s business who has no K, and nothing at all to a stranger', async () => {
    const machine = await world('landlord');
    const running = await machine.startWell();
    expect(value(await give(running, asked('landlord.administrator', approve))).result).to.include({
      inForce: true,
    });
    for (const role of ['operator', 'developer'])
      expect(refusalIn(await give(running, asked(`landlord.${role}`, approve))).code).to.equal(
        'role-too-small',
      );
  });
});
