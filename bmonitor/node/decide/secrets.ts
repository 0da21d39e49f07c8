import { limits } from '../../../protocol/limits.js';
import { ok, refuse } from '../../../protocol/result.js';
import { decided, type Decide } from '../decision.js';
import type { KeptSecret } from '../secret-state.js';
import { replaceLevel } from '../state.js';
import { levelOf } from './consoles.js';

/** A new secret, or another value for one that is there. Engines that have it are given it at once. */
export const decideSetSecret: Decide<'secret.set'> = (state, { level, command }, given) => {
  const own = levelOf(state, level);
  if (given.locked.has(own.lease)) return refuse('shares-outstanding');
  const { secret } = given;
  if (!secret) return refuse('secret-unreadable');
  const { name } = command;
  const secrets = own.secrets ?? [];
  const before = secrets.find((one) => one.described?.name === name);
  if (!before && secrets.length >= limits.secrets_per_level_max) return refuse('too-many', 'secrets');
  const next: KeptSecret = {
    id: before?.id ?? given.newId(),
    revision: (before?.revision ?? 0) + 1,
    described: { name, bytes: secret.length, set_s: given.now_s },
  };
  const all = before ? secrets.map((one) => (one === before ? next : one)) : [...secrets, next];
  return ok(
    decided(replaceLevel(state, level, { ...own, secrets: all }), {
      secrets: [{ lease: own.lease, kept: next, value: secret }],
      effects: [{ kind: 'run-engines' }],
      events: [{ to: [level], kind: 'secret.set', fields: { name } }],
      result: { revision: next.revision },
    }),
  );
};

/** Engines that run lose it at once, and those that name it are not started any more. */
export const decideRemoveSecret: Decide<'secret.remove'> = (state, { level, command }, given) => {
  const own = levelOf(state, level);
  if (given.locked.has(own.lease)) return refuse('shares-outstanding');
  const { name } = command;
  const secrets = own.secrets ?? [];
  const gone = secrets.find((one) => one.described?.name === name);
  if (!gone) return refuse('secret-unknown', name);
  return ok(
    decided(replaceLevel(state, level, { ...own, secrets: secrets.filter((one) => one !== gone) }), {
      effects: [{ kind: 'run-engines' }],
      events: [{ to: [level], kind: 'secret.removed', fields: { name } }],
    }),
  );
};
