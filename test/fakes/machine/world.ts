import type { Command } from '../../../protocol/commands.js';
import { newId } from '../../../protocol/request.js';
import type { Result } from '../../../protocol/result.js';
import type { Acted } from '../../../bmonitor/node/core.js';
import type { NodeState } from '../../../bmonitor/node/state.js';
import { value } from '../results.js';
import { Machine, type Running } from './machine.js';
import { idOf, member, rosterOf } from './principals.js';

/** A command and who gives it: the party stands at the level at which its consoles are enrolled. */
export interface Asked {
  /** `landlord.administrator`: party and role. */
  readonly by: string;
  readonly command: Command;
  readonly jti: string;
}

export function asked(by: string, command: Command, jti = newId()): Asked {
  return { by, command, jti };
}

/** Gives a command as the service would after it proved who speaks. */
export function give(
  { core }: Running,
  { by, command, jti }: Asked,
  provenNew = true,
): Promise<Result<Acted>> {
  const console = consoleId(by);
  const level = core.state.levels.findIndex((one) => one.roster.some((entry) => entry.id === console));
  const lease = core.state.levels[level]?.lease ?? '';
  const statement = `${jti}.${command.type}`;
  return core.act({ level, lease, console, jti, command, statement, provenNew });
}

export function consoleId(by: string): string {
  return idOf(member('', 'developer', by));
}

export function leaseAt(state: NodeState, level: number): string {
  const found = state.levels[level];
  if (!found) throw new Error(`there is no level ${level}`);
  return found.lease;
}

export function nowOf(machine: Pick<Machine, 'clock'>): number {
  return Math.floor(machine.clock.wall() / 1000);
}

/** How far a chain has come before something is tried on it. */
export type Base = 'landlord' | 'granted' | 'tenant' | 'chain';

const hour = 3600;
const made = new Map<Base, Promise<Machine>>();

/** A machine in a known situation, made by commands, each time a copy of the first one made. */
export async function world(base: Base): Promise<Machine> {
  const known = made.get(base) ?? build(base);
  made.set(base, known);
  return (await known).copy();
}

async function build(base: Base): Promise<Machine> {
  if (base === 'landlord') return Machine.make();
  const machine = await world(base === 'granted' ? 'landlord' : base === 'tenant' ? 'granted' : 'tenant');
  const running = await machine.startWell();
  const until = nowOf(machine) + 10 * hour;
  if (base === 'granted') value(await give(running, asked('landlord.administrator', grant('tenant', until))));
  if (base === 'tenant') {
    value(await give(running, asked('tenant.administrator', take('tenant'))));
    value(await give(running, asked('tenant.operator', narrow(1))));
    await fill(running, machine, [0, 1]);
  }
  if (base === 'chain') {
    value(await give(running, asked('tenant.administrator', grant('user', until - hour))));
    value(await give(running, asked('user.administrator', take('user'))));
    await fill(running, machine, [2]);
  }
  await running.core.close();
  return machine;
}

/** Two files in the directory of each of these levels, so that a command has something to keep, to carry over or to destroy. */
async function fill(
  { core, directories }: Running,
  machine: Machine,
  levels: readonly number[],
): Promise<void> {
  for (const at of levels) {
    const { lease, epoch } = core.state.levels[at] ?? { lease: '', epoch: 0 };
    value(await directories.need(lease));
    for (const file of ['one', 'two'])
      machine.directories.write({ lease, epoch }, file, `${file} of ${lease}`);
  }
}

export function grant(party: string, until: number, destroyAfter = hour): Command {
  const rights = ['boundaries', 'engines', 'volumes', 'keys', 'lease'] as const;
  return { type: 'lease.grant', to: rosterOf(party), rights: [...rights], until, destroyAfter };
}

export function take(party: string, key = true): Command {
  return { type: 'lease.take', roster: rosterOf(party), key };
}

/** Filters that fit under any boundary, because they only take away. */
export function narrow(expect: number, count = 2): Command {
  const filters = Array.from({ length: count }, (_, at) => ({ action: 'deny', peers: [`10.9.${at}.0/24`] }));
  return { type: 'filters.replace', expect, set: { otherwise: 'inherit', filters } };
}
