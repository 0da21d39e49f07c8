import { Secret } from '../../crypto/secret.js';
import type { CommandType } from '../../protocol/commands.js';
import { sealShare, verifyBoot } from '../../protocol/unlock.js';
import type { Running } from './machine/machine.js';
import { member } from './machine/principals.js';
import { asked, consoleId, give, leaseAt } from './machine/world.js';
import { value } from './results.js';
import type { Sample } from './sample.js';

/** The same share every time, sealed to the pair of this start, as its console would. */
async function shareFor({ core }: Running, level: number): Promise<string> {
  const statement = await core.boot.statement(core.identity);
  const to = value(await verifyBoot(statement, core.identity.public, core.boot.boot));
  return sealShare(to, core.state.levels[level]?.symmetric ?? '', Secret.take(Buffer.alloc(32, 7)));
}

/** What an updated machine measures. */
export const updated = 'N'.repeat(42).concat('A');

/** The commands on keys, as `samples` in samples.ts has all others. */
export const keySamples: Partial<Record<CommandType, readonly Sample[]>> = {
  'keys.make': [
    {
      title: 'the landlord makes its symmetric key above a tenant',
      base: 'tenant',
      ask: () => asked('landlord.administrator', { type: 'keys.make' }),
    },
  ],
  'keys.rotate': [
    ...(['keep', 'reencrypt'] as const).map((data): Sample => ({
      title: `the tenant rotates its pair and its symmetric key, its data: ${data}`,
      base: 'tenant',
      ask: () => asked('tenant.administrator', { type: 'keys.rotate', level: 1, key: true, data }),
    })),
    {
      title: 'the tenant rotates its keys and destroys its data',
      base: 'tenant',
      ask: ({ core }) =>
        asked('tenant.administrator', {
          type: 'keys.rotate',
          level: 1,
          key: true,
          data: 'destroy',
          destroys: [leaseAt(core.state, 1)],
        }),
    },
    {
      title: 'a tenant that lost its share rotates its keys and destroys its data',
      base: 'tenant',
      prepare: async (running) =>
        value(
          await give(
            running,
            asked('tenant.administrator', { type: 'keys.share', share: await shareFor(running, 1) }),
          ),
        ),
      ask: ({ core }) =>
        asked('tenant.administrator', {
          type: 'keys.rotate',
          level: 1,
          key: true,
          data: 'destroy',
          destroys: [leaseAt(core.state, 1)],
        }),
    },
    {
      title: 'the landlord rotates its keys and destroys all data',
      base: 'chain',
      ask: ({ core }) =>
        asked('landlord.administrator', {
          type: 'keys.rotate',
          level: 0,
          key: true,
          data: 'destroy',
          destroys: core.state.levels.map((level) => level.lease),
        }),
    },
    {
      title: 'the landlord replaces the pair of the tenant, with all below',
      base: 'chain',
      ask: ({ core }) =>
        asked('landlord.administrator', {
          type: 'keys.rotate',
          level: 1,
          key: true,
          data: 'destroy',
          destroys: [leaseAt(core.state, 1), leaseAt(core.state, 2)],
        }),
    },
  ],
  'keys.consent': [
    {
      title: 'the tenant agrees that the landlord replaces its key',
      base: 'tenant',
      ask: ({ core }) =>
        asked('tenant.administrator', { type: 'keys.consent', to: leaseAt(core.state, 0), act: 'rotate' }),
    },
  ],
  'keys.share': [
    {
      title: 'the tenant locks its key under a share',
      base: 'tenant',
      passing: true,
      ask: async (running) =>
        asked('tenant.administrator', { type: 'keys.share', share: await shareFor(running, 1) }),
    },
  ],
  'keys.unlock': [
    {
      title: 'the tenant sends its share again after a start',
      base: 'tenant',
      passing: true,
      prepare: async (running) =>
        value(
          await give(
            running,
            asked('tenant.administrator', { type: 'keys.share', share: await shareFor(running, 1) }),
          ),
        ),
      ask: async (running) =>
        asked('tenant.administrator', { type: 'keys.unlock', share: await shareFor(running, 1) }),
    },
  ],
  'measurement.approve': [
    {
      title: 'the tenant is the first to approve an update',
      base: 'tenant',
      ask: () => asked('tenant.administrator', { type: 'measurement.approve', digest: updated }),
    },
    {
      title: 'the landlord is the last to approve an update',
      base: 'tenant',
      prepare: async (running) =>
        value(
          await give(
            running,
            asked('tenant.administrator', { type: 'measurement.approve', digest: updated }),
          ),
        ),
      ask: () => asked('landlord.administrator', { type: 'measurement.approve', digest: updated }),
    },
  ],
  'measurement.withdraw': [
    {
      title: 'the tenant takes back an approval that is in force',
      base: 'tenant',
      prepare: async (running) => {
        for (const party of ['tenant', 'landlord'])
          value(
            await give(
              running,
              asked(`${party}.administrator`, { type: 'measurement.approve', digest: updated }),
            ),
          );
      },
      ask: () => asked('tenant.administrator', { type: 'measurement.withdraw' }),
    },
  ],
  'node.transfer': [
    {
      title: 'the node is sold, and its leases end',
      base: 'chain',
      ask: ({ core }) =>
        asked('landlord.administrator', {
          type: 'node.transfer',
          to: [member('buyer', 'administrator')],
          below: 'end',
          destroys: core.state.levels.map((level) => level.lease),
        }),
    },
    {
      title: 'the node is sold, and its tenants go on',
      base: 'chain',
      prepare: async (running) => {
        for (const party of ['tenant', 'user'])
          value(
            await give(
              running,
              asked(`${party}.administrator`, {
                type: 'keys.consent',
                to: leaseAt(running.core.state, 0),
                act: 'transfer',
                holder: consoleId('buyer.administrator'),
              }),
            ),
          );
      },
      ask: ({ core }) =>
        asked('landlord.administrator', {
          type: 'node.transfer',
          to: [member('buyer', 'administrator')],
          below: 'keep',
          destroys: [leaseAt(core.state, 0)],
        }),
    },
  ],
};
