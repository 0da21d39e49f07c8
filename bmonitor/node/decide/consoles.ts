import { thumbprint } from '../../../crypto/rsa.js';
import type { ConsoleKey } from '../../../protocol/commands.js';
import { limits } from '../../../protocol/limits.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import type { Decide } from '../decision.js';
import { decided } from '../decision.js';
import { isFullAdministrator, replaceLevel, type Enrolled, type Level, type NodeState } from '../state.js';

export function enrol(console: ConsoleKey): Enrolled {
  return { ...console, id: thumbprint(console.key) };
}

/** A roster must be able to speak: no key twice, and an administrator among them. */
export function enrolAll(consoles: readonly ConsoleKey[]): Result<readonly Enrolled[]> {
  const roster = consoles.map(enrol);
  if (new Set(roster.map((entry) => entry.id)).size !== roster.length) return refuse('already-enrolled');
  if (!hasAdministrator(roster))
    return refuse('last-console', 'no administrator among the keys whose key is for every node');
  return ok(roster);
}

function hasAdministrator(roster: readonly Enrolled[]): boolean {
  return roster.some(isFullAdministrator);
}

/** A key speaks for one level only: otherwise a message could be meant for either. */
export function enrolledAnywhere(state: NodeState, id: string): boolean {
  return state.levels.some((level) => level.roster.some((entry) => entry.id === id));
}

export const decideAddConsole: Decide<'consoles.add'> = (state, { level: index, command }) => {
  const level = levelOf(state, index);
  const added = enrol(command.console);
  if (enrolledAnywhere(state, added.id)) return refuse('already-enrolled');
  if (level.roster.length >= limits.consoles_per_level_max) return refuse('too-many-consoles');
  const everEnrolled = [...new Set([...level.everEnrolled, added.id])];
  if (everEnrolled.length > limits.consoles_ever_enrolled_max)
    return refuse('too-many-consoles', 'as many different keys were enrolled in this lease as may ever be');
  const next: Level = {
    ...level,
    roster: [...level.roster, added],
    everEnrolled,
  };
  return ok(
    decided(replaceLevel(state, index, next), {
      result: { key: added.id, consoles: next.roster.length },
      events: [{ to: [index], kind: 'console.added', fields: { key: added.id, name: added.name } }],
    }),
  );
};

export const decideRemoveConsole: Decide<'consoles.remove'> = (state, { level: index, command }) => {
  const level = levelOf(state, index);
  const roster = level.roster.filter((entry) => entry.id !== command.key);
  if (roster.length === level.roster.length)
    return refuse('not-found', 'no console of this level has this key');
  if (!hasAdministrator(roster)) return refuse('last-console');
  return ok(
    decided(replaceLevel(state, index, { ...level, roster }), {
      result: { key: command.key, consoles: roster.length },
      events: [{ to: [index], kind: 'console.removed', fields: { key: command.key } }],
    }),
  );
};

export function levelOf(state: NodeState, index: number): Level {
  const level = state.levels[index];
  if (!level) throw new Error(`level ${index} was there when its console was authorised`);
  return level;
}
