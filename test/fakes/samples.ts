import type { CommandType } from '../../protocol/commands.js';
import type { Machine, Running } from './machine/machine.js';
import { pairs } from './machine/pairs.js';
import { member } from './machine/principals.js';
import { asked, consoleId, give, grant, leaseAt, narrow, nowOf, take, type Base } from './machine/world.js';
import { engineSamples } from './engine-samples.js';
import { hardwareSamples } from './hardware-samples.js';
import { keySamples } from './key-samples.js';
import { value } from './results.js';
import type { Sample } from './sample.js';

export type { Sample } from './sample.js';

const filter = { action: 'allow', peers: ['10.0.0.0/8'], protocol: 'tcp', ports: [22] };
const landlordSet = { otherwise: 'deny', filters: [filter] };
const hour = 3600;

async function letPass(machine: Machine, running: Running, seconds: number): Promise<void> {
  machine.clock.pass(seconds);
  await running.core.passTime();
}

/** The command as each party would give it in its turn, in the situations in which it does different things. */
export const samples: Partial<Record<CommandType, readonly Sample[]>> = {
  ...keySamples,
  ...engineSamples,
  ...hardwareSamples,
  'node.rename': [
    {
      title: 'the landlord names the node',
      base: 'tenant',
      ask: () => asked('landlord.operator', { type: 'node.rename', name: 'web-9' }),
    },
  ],
  'node.label': [
    {
      title: 'the tenant labels the node',
      base: 'tenant',
      ask: () => asked('tenant.administrator', { type: 'node.label', labels: ['test', 'eu'] }),
    },
  ],
  'consoles.add': [
    {
      title: 'the tenant enrols a console that is for test nodes only',
      base: 'tenant',
      ask: () =>
        asked('tenant.administrator', {
          type: 'consoles.add',
          console: { ...member('tenant', 'developer', 'tenant.scoped'), nodes: ['test'] },
        }),
    },
    {
      title: 'the tenant enrols one more console',
      base: 'tenant',
      ask: () =>
        asked('tenant.administrator', {
          type: 'consoles.add',
          console: member('tenant', 'operator', 'tenant.new'),
        }),
    },
  ],
  'consoles.remove': [
    {
      title: 'the tenant removes a console',
      base: 'tenant',
      ask: () =>
        asked('tenant.administrator', { type: 'consoles.remove', key: consoleId('tenant.operator') }),
    },
  ],
  'lease.grant': [
    {
      title: 'the landlord grants a lease',
      base: 'landlord',
      ask: (_, machine) => asked('landlord.administrator', grant('tenant', nowOf(machine) + hour)),
    },
    {
      title: 'the tenant grants on',
      base: 'tenant',
      ask: (_, machine) => asked('tenant.administrator', grant('user', nowOf(machine) + hour)),
    },
  ],
  'lease.take': [
    {
      title: 'the tenant takes its lease with a symmetric key',
      base: 'granted',
      ask: () => asked('tenant.administrator', take('tenant')),
    },
    {
      title: 'the tenant takes its lease without a symmetric key, under another roster',
      base: 'granted',
      ask: () =>
        asked('tenant.administrator', {
          type: 'lease.take',
          roster: [member('tenant', 'administrator'), member('other', 'operator')],
          key: false,
        }),
    },
  ],
  'lease.extend': [
    {
      title: 'the landlord extends a lease',
      base: 'tenant',
      ask: ({ core }, machine) =>
        asked('landlord.administrator', {
          type: 'lease.extend',
          lease: leaseAt(core.state, 1),
          until: nowOf(machine) + 20 * hour,
        }),
    },
    {
      title: 'the landlord brings a dark level back',
      base: 'tenant',
      prepare: (running, machine) => letPass(machine, running, 10 * hour),
      ask: ({ core }, machine) =>
        asked('landlord.administrator', {
          type: 'lease.extend',
          lease: leaseAt(core.state, 1),
          until: nowOf(machine) + 20 * hour,
        }),
    },
  ],
  'lease.end': [
    {
      title: 'the landlord ends a lease and the one below it',
      base: 'chain',
      ask: ({ core }) =>
        asked('landlord.administrator', { type: 'lease.end', lease: leaseAt(core.state, 1) }),
    },
    {
      title: 'the landlord ends the lease of the user only',
      base: 'chain',
      ask: ({ core }) =>
        asked('landlord.administrator', { type: 'lease.end', lease: leaseAt(core.state, 2) }),
    },
    {
      title: 'the tenant ends its own lease',
      base: 'tenant',
      ask: ({ core }) => asked('tenant.administrator', { type: 'lease.end', lease: leaseAt(core.state, 1) }),
    },
    {
      title: 'the landlord ends a lease that nobody took',
      base: 'granted',
      ask: ({ core }) =>
        asked('landlord.administrator', { type: 'lease.end', lease: leaseAt(core.state, 1) }),
    },
  ],
  'filters.replace': [
    {
      title: 'the landlord replaces its filters',
      base: 'tenant',
      ask: () => asked('landlord.operator', { type: 'filters.replace', expect: 0, set: landlordSet }),
    },
    {
      title: 'the landlord tries new filters for a while',
      base: 'tenant',
      ask: () =>
        asked('landlord.operator', {
          type: 'filters.replace',
          expect: 0,
          set: landlordSet,
          confirmWithin: 60,
        }),
    },
    {
      title: 'the tenant narrows to many filters, in several blocks',
      base: 'tenant',
      ask: () => asked('tenant.operator', narrow(2, 250)),
    },
  ],
  'filters.change': [
    {
      title: 'the tenant adds a filter and takes one out',
      base: 'tenant',
      ask: () =>
        asked('tenant.operator', {
          type: 'filters.change',
          expect: 2,
          add: [{ action: 'deny', peers: ['192.0.2.1'] }],
          remove: [0],
        }),
    },
  ],
  'filters.confirm': [
    {
      title: 'the landlord keeps a change that waited',
      base: 'tenant',
      prepare: async (running) =>
        value(
          await give(
            running,
            asked('landlord.operator', {
              type: 'filters.replace',
              expect: 0,
              set: landlordSet,
              confirmWithin: 60,
            }),
          ),
        ),
      ask: () => asked('landlord.operator', { type: 'filters.confirm', version: 1 }),
    },
  ],
  'filters.undo': [
    {
      title: 'the landlord takes a change back that waited',
      base: 'tenant',
      prepare: async (running) =>
        value(
          await give(
            running,
            asked('landlord.operator', {
              type: 'filters.replace',
              expect: 0,
              set: landlordSet,
              confirmWithin: 60,
            }),
          ),
        ),
      ask: () => asked('landlord.operator', { type: 'filters.undo', version: 1 }),
    },
  ],
  quarantine: [
    {
      title: 'the landlord closes everything',
      base: 'tenant',
      ask: () => asked('landlord.operator', { type: 'quarantine', on: true, reason: 'it sends spam' }),
    },
    {
      title: 'the landlord lifts the quarantine',
      base: 'tenant',
      prepare: async (running) =>
        value(await give(running, asked('landlord.operator', { type: 'quarantine', on: true }))),
      ask: () => asked('landlord.operator', { type: 'quarantine', on: false }),
    },
  ],
  'ways.set': [
    {
      title: 'the landlord moves its consoles',
      base: 'tenant',
      ask: () =>
        asked('landlord.administrator', { type: 'ways.set', consoles: ['10.9.0.1'], confirmWithin: 60 }),
    },
  ],
  'ways.confirm': [
    {
      title: 'the landlord keeps the ways it set',
      base: 'tenant',
      prepare: async (running) =>
        value(
          await give(
            running,
            asked('landlord.administrator', { type: 'ways.set', consoles: ['10.9.0.1'], confirmWithin: 60 }),
          ),
        ),
      ask: () => asked('landlord.administrator', { type: 'ways.confirm' }),
    },
  ],
  'history.trim': [
    {
      title: 'the landlord trims its history',
      base: 'chain',
      ask: ({ core }) => {
        const { head } = core.state.levels[0].history;
        return asked('landlord.administrator', {
          type: 'history.trim',
          before: head.seq + 1,
          head: head.digest,
        });
      },
    },
  ],
  'history.verify': [
    {
      title: 'the landlord has its history verified',
      base: 'chain',
      ask: () => asked('landlord.operator', { type: 'history.verify' }),
    },
  ],
  'job.cancel': [
    {
      title: 'the landlord cancels a long command',
      base: 'chain',
      passing: true,
      prepare: async (running) => {
        // The power goes right after the command was made durable: so it waits to be gone on with at the next start.
        running.power.stopAt({ at: 3, by: 'kill' });
        void give(running, asked('landlord.operator', { type: 'history.verify' }));
        await running.power.stopped;
      },
      ask: ({ core }) => {
        const job = core.state.jobs.find((one) => one.state === 'running');
        if (!job) throw new Error('the long command ran to its end before it could be cancelled');
        return asked('landlord.operator', { type: 'job.cancel', job: job.id });
      },
    },
  ],
};

/** What the node does by itself. */
export interface OwnAct {
  readonly title: string;
  readonly base: Base;
  readonly prepare?: Sample['prepare'];
  readonly run: (running: Running, machine: Machine) => Promise<unknown>;
}

export const ownActs: readonly OwnAct[] = [
  {
    title: 'a lease ends on time, and the one below it goes dark with it',
    base: 'chain',
    run: (running, machine) => letPass(machine, running, 10 * hour),
  },
  {
    title: 'the keys of leases that ended are destroyed on time',
    base: 'chain',
    prepare: (running, machine) => letPass(machine, running, 10 * hour),
    run: (running, machine) => letPass(machine, running, hour),
  },
  {
    title: 'a change of filters that nobody confirmed is undone',
    base: 'tenant',
    prepare: async (running) =>
      value(
        await give(
          running,
          asked('landlord.operator', {
            type: 'filters.replace',
            expect: 0,
            set: landlordSet,
            confirmWithin: 60,
          }),
        ),
      ),
    run: (running, machine) => letPass(machine, running, 60),
  },
  {
    title: 'a pair is made ahead',
    base: 'tenant',
    run: async ({ core }) => {
      const pair = (await pairs(9))[8];
      if (!pair) throw new Error('there are nine');
      return core.addSparePair(pair);
    },
  },
  {
    title: 'an event that no command caused is written',
    base: 'tenant',
    run: ({ events, core }) => {
      events.add({ to: [0, 1], kind: 'test', fields: { what: 'a cable was pulled' } });
      return core.flushEvents();
    },
  },
];
