import { expect } from 'chai';
import type { Command } from '../../../../protocol/commands.js';
import type { Machine, Running } from '../../../fakes/machine/machine.js';
import { asked, consoleId, give, leaseAt, nowOf, world } from '../../../fakes/machine/world.js';

/**
 * The table of authority says who may give a command; of some, the specification says besides whose things it may be about. Each line is one of those
 * rules: who asks, and what is answered when it is about level 0, 1 and 2 of a chain of three.
 */
const parties = ['landlord', 'tenant', 'user'] as const;
const lines = `
  its keys, replaced with destroy       landlord  done            done                done
  its keys, replaced with destroy       tenant    not-authorised  done                done
  its keys, replaced with destroy       user      not-authorised  not-authorised      done
  its keys, replaced and data kept      landlord  needs-owner     data-not-yours      data-not-yours
  its keys, replaced and data kept      tenant    not-authorised  needs-owner         data-not-yours
  its keys, replaced and data kept      user      not-authorised  not-authorised      done
  its keys, and data encrypted anew     tenant    not-authorised  needs-owner         data-not-yours
  its keys, and data encrypted anew     user      not-authorised  not-authorised      done
  its lease, ended                      landlord  lease-unknown   done                done
  its lease, ended                      tenant    lease-unknown   done                done
  its lease, ended                      user      lease-unknown   lease-unknown       done
  its lease, extended                   landlord  lease-unknown   done                lease-unknown
  its lease, extended                   tenant    lease-unknown   lease-unknown       right-not-held
  its lease, extended                   user      lease-unknown   lease-unknown       lease-unknown
  consent to what it does to the data   landlord  lease-unknown   lease-unknown       lease-unknown
  consent to what it does to the data   tenant    done            lease-unknown       lease-unknown
  consent to what it does to the data   user      done            done                lease-unknown
  the node, sold with its lease named   tenant    not-authorised  not-authorised      not-authorised
  the node, sold with its lease named   user      not-authorised  not-authorised      not-authorised
  a console of its roster, taken out    landlord  done            not-found           not-found
  a console of its roster, taken out    tenant    not-found       done                not-found
  a console of its roster, taken out    user      not-found       not-found           done
  a console of its roster, taken in     landlord  already-enrolled already-enrolled   already-enrolled
`;

type About = (level: number, running: Running, machine: Machine) => Command;
const rotation =
  (data: 'destroy' | 'keep' | 'reencrypt'): About =>
  (level, { core }) => ({
    type: 'keys.rotate',
    level,
    key: true,
    data,
    ...(data === 'destroy' ? { destroys: core.state.levels.slice(level).map(({ lease }) => lease) } : {}),
  });
const about: Readonly<Record<string, About>> = {
  'its keys, replaced with destroy': rotation('destroy'),
  'its keys, replaced and data kept': rotation('keep'),
  'its keys, and data encrypted anew': rotation('reencrypt'),
  'its lease, ended': (level, { core }) => ({ type: 'lease.end', lease: leaseAt(core.state, level) }),
  'its lease, extended': (level, { core }, machine) => ({
    type: 'lease.extend',
    lease: leaseAt(core.state, level),
    until: nowOf(machine) + 900_000,
  }),
  'consent to what it does to the data': (level, { core }) => ({
    type: 'keys.consent',
    to: leaseAt(core.state, level),
    act: 'rotate',
  }),
  'the node, sold with its lease named': (level, { core }) => ({
    type: 'node.transfer',
    to: [{ ...keyAt(core.state, 0), role: 'administrator' }],
    below: 'end',
    destroys: [leaseAt(core.state, level)],
  }),
  'a console of its roster, taken out': (level) => ({
    type: 'consoles.remove',
    key: consoleId(`${parties[level] ?? ''}.operator`),
  }),
  'a console of its roster, taken in': (level, { core }) => ({
    type: 'consoles.add',
    console: keyAt(core.state, level),
  }),
};

function keyAt(state: Running['core']['state'], level: number) {
  const [entry] = state.levels[level]?.roster ?? [];
  if (!entry) throw new Error('every level has a console');
  const { key, name, role } = entry;
  return { key, name, role };
}

describe('whose things a command may be about', () => {
  for (const line of lines.trim().split('\n')) {
    const [, what = '', by = '', answers = ''] = /^ *(.*?) {2,}(\S+) +(.*)$/.exec(line) ?? [];
    it(`${what}: asked by the ${by} of the landlord’s, the tenant’s and the user’s`, async () => {
      const said: string[] = [];
      for (const level of parties.keys()) {
        const machine = await world('chain');
        const running = await machine.startWell();
        const command = about[what]?.(level, running, machine);
        if (!command) throw new Error(`no such line: ${what}`);
        const answer = await give(running, asked(`${by}.administrator`, command));
        said.push(answer.ok ? 'done' : answer.refusal.code);
        await running.core.close();
      }
      expect(said).to.deep.equal(answers.trim().split(/ +/));
    });
  }
});
