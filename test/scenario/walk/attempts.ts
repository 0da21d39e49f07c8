import type { Command } from '../../../protocol/commands.js';
import { member } from '../../fakes/machine/principals.js';
import { consoleId, grant, narrow, nowOf, take } from '../../fakes/machine/world.js';
import { keyAttempts } from './key-attempts.js';
import { lastLease, levelOf, nextOf, versionOf, type Attempt } from './parties.js';

/** What a party may try, from what it sees. Some of it is always wrong. */
export const attempts: readonly Attempt[] = [
  (_, machine, party) => grant(nextOf(party), nowOf(machine) + 3600, 600),
  (_, machine, party) => grant(nextOf(party), nowOf(machine) + 36_000, 0),
  (_, machine, party) => grant(party, nowOf(machine) - 1),
  (_, __, party) => take(party),
  (_, __, party) => take(nextOf(party), false),
  ({ core }, machine) => ({ type: 'lease.extend', lease: lastLease(core), until: nowOf(machine) + 7200 }),
  ({ core }) => ({ type: 'lease.extend', lease: lastLease(core), until: 40 }),
  ({ core }) => ({ type: 'lease.end', lease: lastLease(core) }),
  ({ core }) => ({ type: 'lease.end', lease: core.state.levels[1]?.lease ?? core.state.levels[0].lease }),
  (_, __, party) => ({ type: 'consoles.add', console: member(party, 'operator', `${party}.second`) }),
  (_, __, party) => ({ type: 'consoles.add', console: member(nextOf(party), 'administrator') }),
  (_, __, party) => ({ type: 'consoles.remove', key: consoleId(`${party}.second`) }),
  (_, __, party) => ({ type: 'consoles.remove', key: consoleId(`${party}.administrator`) }),
  (running, _, party) => narrow(versionOf(running, party)),
  (running, _, party) => ({ ...narrow(versionOf(running, party)), confirmWithin: 30 }) as Command,
  (running, _, party) => ({
    type: 'filters.replace',
    expect: versionOf(running, party),
    set: { otherwise: 'deny', filters: [{ action: 'allow', peers: ['10.0.0.0/8'] }] },
    confirmWithin: 30,
  }),
  (running, _, party) => ({
    type: 'filters.change',
    expect: versionOf(running, party),
    add: [{ action: 'deny', protocol: 'udp' }],
    remove: [0],
  }),
  () => narrow(77),
  (running, _, party) => ({ type: 'filters.confirm', version: versionOf(running, party) }),
  () => ({ type: 'quarantine', on: true }),
  () => ({ type: 'quarantine', on: false }),
  () => ({ type: 'node.rename', name: 'other' }),
  () => ({ type: 'history.verify' }),
  ({ core }, _, party) => {
    const { head } = (levelOf(core, party) ?? core.state.levels[0]).history;
    return { type: 'history.trim', before: head.seq + 1, head: head.digest };
  },
  ({ core }) => ({ type: 'job.cancel', job: core.state.jobs.at(-1)?.id ?? 'A'.repeat(22) }),
  ...keyAttempts,
];
