import { rights } from '../../../protocol/commands.js';
import { ok, refuse } from '../../../protocol/result.js';
import type { KeyChange } from '../../keys/ring.js';
import { decided, type Decide } from '../decision.js';
import { closedSet, initialFilters } from '../filter-state.js';
import { emptyHistory, isFullAdministrator, type Level, type NodeState, withoutWaiting } from '../state.js';
import { enrolAll, levelOf } from './consoles.js';
import { allOpen, haveConsented, names, withoutConsentTo } from './keys.js';
import { destroyKeys, endFrom, range } from './leases.js';
import { areAddresses } from './ways.js';

/**
 * The node changes hands. The new landlord inherits nothing: a new lease, pair and K, closed filters, an empty history. The leases below end, or
 * go on where their holders agreed to this very holder.
 */
export const decideTransfer: Decide<'node.transfer'> = (state, { command, console }, given) => {
  const old = levelOf(state, 0);
  const roster = enrolAll(command.to);
  if (!roster.ok) return roster;
  const below = state.levels.slice(1);
  const ways = command.consoles && areAddresses(command.consoles, 'command.consoles');
  if (ways?.ok === false) return ways;
  // Who goes with the sale may be who buys.
  const others = (command.below === 'keep' ? below : []).flatMap((level) =>
    level.roster.map((entry) => entry.id),
  );
  if (roster.value.some((entry) => others.includes(entry.id))) return refuse('already-enrolled');
  if (!given.sparePair) return refuse('no-spare-pair');
  const goOn = command.below === 'keep' && below.length > 0;
  const holder = roster.value.find(isFullAdministrator);
  if (!holder) return refuse('last-console');
  const named = names(
    [old, ...(goOn ? [] : below)].map((level) => level.lease),
    command.destroys,
  );
  if (!named.ok) return named;
  if (goOn) {
    const open = allOpen(state, 0, given);
    if (!open.ok) return open;
    const agreed = haveConsented(below, { to: old.lease, act: 'transfer', holder: holder.id });
    if (!agreed.ok) return agreed;
  }
  const end = goOn || below.length === 0 ? undefined : endFrom(state, 1, 'ended');
  const lease = given.newId();
  const symmetric = given.newId();
  const level: Level = {
    lease,
    status: 'active',
    rights,
    pair: given.sparePair,
    symmetric,
    roster: roster.value,
    everEnrolled: roster.value.map((entry) => entry.id),
    filters: initialFilters(closedSet),
    history: emptyHistory,
    epoch: 0,
    receipts: 0,
  };
  const made: KeyChange[] = [
    { kind: 'use-pair', id: level.pair.id },
    { kind: 'make-symmetric', id: symmetric },
    { kind: 'make-data', lease },
    { kind: 'new-salt' },
  ];
  const keys: KeyChange[] = [...(end?.keys ?? []), ...destroyKeys(old), ...made];
  const { quarantine: _, ways: __, ...rest } = end?.state ?? state;
  const kept = goOn ? below.map((one) => withoutConsentTo(withoutWaiting(one), old.lease)) : [];
  const levels = [level, ...kept] as unknown as NodeState['levels'];
  const receipts = [
    ...(end?.receipts ?? []),
    {
      to: range(levels.length),
      act: 'end' as const,
      level: 0,
      lease: old.lease,
      keys: [...destroyKeys(old), { kind: 'new-salt' as const }],
      reason: 'ended' as const,
    },
    { to: range(levels.length), act: 'transfer' as const, level: 0, lease, keys: made, holder: holder.id },
  ];
  const formerly = {
    lease: old.lease,
    pairs: [old.pair, ...(old.previous ? [old.previous] : [])].map(({ id }) => id),
    told: [...old.roster.filter(({ id }) => id === console), holder].map(({ key }) => key),
    holder: holder.id,
    key: level.pair.jwk,
    receipts: [],
  };
  const next: NodeState = {
    ...rest,
    levels,
    formerly,
    ...(command.consoles ? { ways: { consoles: command.consoles } } : {}),
    jobs: rest.jobs.filter((job) => job.lease !== old.lease),
  };
  const told = { lease, holder: holder.id, name: holder.name };
  return ok(
    decided(next, {
      keys,
      receipts,
      effects: [{ kind: 'enforce-filters' }, { kind: 'run-engines' }],
      events: [{ to: range(levels.length), kind: 'node.transferred', fields: told }],
      touched: range(levels.length).map((at) => ({ level: at, sees: 'statement' as const })),
      result: { lease, pair: level.pair, symmetric, everEnrolled: level.everEnrolled },
    }),
  );
};
