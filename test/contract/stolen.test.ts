import { expect } from 'chai';
import { Secret } from '../../crypto/secret.js';
import type { KeyRing } from '../../bmonitor/keys/ring.js';
import { sealShare, verifyBoot } from '../../protocol/unlock.js';
import type { Machine, Running } from '../fakes/machine/machine.js';
import { opened, sharesOf } from '../fakes/machine/search.js';
import { asked, consoleId, give, leaseAt, world } from '../fakes/machine/world.js';
import { refusalIn, value } from '../fakes/results.js';

/**
 * A thief has the whole node: the machine with its TPM, its disk, and every key that the node has in its memory after a start. What no thief
 * has is the share, which only the tenant's console keeps.
 */
describe('a whole node that was stolen, TPM and disk together', () => {
  it('opens nothing of the data of a tenant whose share is outstanding, though it starts and enforces', async () => {
    const { machine, share } = await locked();
    const thief = await machine.copy().startWell();
    const tenant = leaseAt(thief.core.state, 1);
    expect(thief.core.ring.data.has(tenant)).to.equal(false);
    expect(machine.directories.all().filter((one) => one.lease === tenant && one.open)).to.deep.equal([]);
    expect(openedBy(thief, machine, tenant), 'with every key of the node').to.deep.equal([]);

    // The same search finds everything once the share is there: it looks in the right places.
    value(
      await give(thief, asked('tenant.operator', { type: 'keys.unlock', share: await sealed(thief, share) })),
    );
    expect(openedBy(thief, machine, tenant))
      .to.include('the data key')
      .and.to.satisfy((places: readonly string[]) => places.some((place) => place.startsWith('h/')));
    await thief.core.close();
  });

  it('takes no other share, however often it is tried, and nobody but the tenant’s consoles may try', async () => {
    const { machine } = await locked();
    const thief = await machine.copy().startWell();
    for (let guess = 0; guess < 8; guess += 1) {
      const other = Secret.take(Buffer.alloc(32, guess));
      const command = { type: 'keys.unlock', share: await sealed(thief, other) } as const;
      expect(refusalIn(await give(thief, asked('tenant.operator', command))).code).to.equal('share-wrong');
      const request = { level: 1, lease: leaseAt(thief.core.state, 1), jti: `thief-${guess}`, command };
      const console = consoleId('landlord.administrator');
      const spoken = await thief.core.act({ ...request, console, statement: 'thief', provenNew: true });
      expect(refusalIn(spoken).code).to.equal('unknown-console');
    }
    await thief.core.close();
  });

  it('keeps the data closed whatever the landlord, who is the thief, commands; what it can do destroys', async () => {
    for (const data of ['keep', 'reencrypt', 'destroy'] as const) {
      const { machine } = await locked();
      const stolen = machine.copy();
      const thief = await stolen.startWell();
      const tenant = leaseAt(thief.core.state, 1);
      const destroys =
        data === 'destroy' ? { destroys: thief.core.state.levels.map(({ lease }) => lease) } : {};
      const rotate = { type: 'keys.rotate', level: 0, key: true, data, ...destroys } as const;
      await give(thief, asked('landlord.administrator', rotate));
      expect(openedBy(thief, machine, tenant), data).to.deep.equal([]);
      await thief.core.close();
    }
  });
});

/** A node on which landlord and tenant have a K, and the tenant's opens only with a share; its power is off. */
async function locked(): Promise<{ machine: Machine; share: Secret }> {
  const machine = await world('tenant');
  const running = await machine.startWell();
  const share = Secret.take(Buffer.alloc(32, 99));
  value(await give(running, asked('landlord.administrator', { type: 'keys.make' })));
  const command = { type: 'keys.share', share: await sealed(running, share) } as const;
  value(await give(running, asked('tenant.administrator', command)));
  await running.core.close();
  running.power.cut('power');
  return { machine, share };
}

async function sealed({ core }: Running, share: Secret): Promise<string> {
  const statement = await core.boot.statement(core.identity);
  const to = value(await verifyBoot(statement, core.identity.public, core.boot.boot));
  return sealShare(to, core.state.levels[1]?.symmetric ?? '', share);
}

/** The outer key opens filters, receipts and events, which the node needs while it waits: they are no data of the level. */
function keysIn({ symmetric, salt, data, locked: sealedKeys, parked }: KeyRing): readonly Secret[] {
  const boxes = [...sealedKeys.values(), ...parked.values()].map((box) =>
    Secret.take(new Uint8Array(box.subarray(0, 32))),
  );
  return [...symmetric.values(), salt, ...data.values(), ...boxes];
}

/** Tries every key of the node on everything of the tenant's that lies on the disk, and every choice of the K on its data key. */
function openedBy({ core: { ring, state } }: Running, { disk }: Machine, tenant: string): readonly string[] {
  const loot = { keys: keysIn(ring), shares: sharesOf(ring, state) };
  return opened(loot, [disk], { tenant, wrapped: ring.wrapped.get(tenant) });
}
