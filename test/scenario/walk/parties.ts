import type { Command } from '../../../protocol/commands.js';
import type { Machine, Running } from '../../fakes/machine/machine.js';

export const parties = ['landlord', 'tenant', 'user', 'guest', 'stranger'] as const;
export type Party = (typeof parties)[number];

/** A command that a party thinks of when it looks at the node. */
export type Attempt = (running: Running, machine: Machine, party: Party) => Command | Promise<Command>;

/** Whom a party would enrol. Nobody ever enrols the stranger: the last party that may be let in enrols one that gives no commands. */
export function nextOf(party: Party): string {
  const next = parties[parties.indexOf(party) + 1];
  return next === undefined || next === 'stranger' ? 'newcomer' : next;
}

export function levelOf(
  core: Running['core'],
  party: Party,
): Running['core']['state']['levels'][number] | undefined {
  return core.state.levels.find((level) => level.roster.some((entry) => entry.name.startsWith(`${party}.`)));
}

export function lastLease(core: Running['core']): string {
  return core.state.levels.at(-1)?.lease ?? '';
}

export function versionOf({ core }: Running, party: Party): number {
  return levelOf(core, party)?.filters.version ?? 0;
}
