import { rights } from '../../../protocol/commands.js';
import { ok, refuse } from '../../../protocol/result.js';
import type { KeyChange } from '../../keys/ring.js';
import { decided, type Decide } from '../decision.js';
import { closedSet, initialFilters } from '../filter-state.js';
import { emptyHistory, type Level, type NodeState, withoutWaiting } from '../state.js';
import { enrolAll, levelOf } from './consoles.js';
import { allOpen, haveConsented, names, withoutConsentTo } from './keys.js';
import { destroyKeys, endFrom, range } from './leases.js';

/**
 * The node changes hands. The new landlord inherits nothing: a new lease, pair and K, closed filters, an empty history. The leases below end, or
 * go on where their holders agreed to this very holder.
 */
export const decideTransfer: Decide<'node.transfer'> = (state, { command }, given) => {
  const old = levelOf(state, 0);
  const roster = enrolAll(command.to);
  if (!roster.ok) return roster;
  const below = state.levels.slice(1);
  const others = below.flatMap((level) => level.roster.map((entry) => entry.id));
  if (roster.value.some((entry) => others.includes(entry.id))) return refuse('already-enrolled');
  if (!given.sparePair) return refuse('no-spare-pair');
  const goOn = command.below === 'keep' && below.length > 0;
  const named = names(
    [old, ...(goOn ? [] : below)].map((level) => level.lease),
    command.destroys,
  );
  if (!named.ok) return named;
  if (goOn) {
    const open = allOpen(state, 0, given);
    if (!open.ok) return open;
    const holder = roster.value.find((entry) => entry.role === 'administrator')?.id ?? '';
    const agreed = haveConsented(below, { to: old.lease, act: 'transfer', holder });
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
  const keys: KeyChange[] = [
    ...(end?.keys ?? []),
    ...destroyKeys(old),
    { kind: 'use-pair', id: level.pair.id },
    { kind: 'make-symmetric', id: symmetric },
    { kind: 'make-data', lease },
    { kind: 'new-salt' },
  ];
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
      keys,
      reason: 'ended' as const,
    },
    { to: range(levels.length), act: 'transfer' as const, level: 0, lease, keys: [] },
  ];
  return ok(
    decided(
      { ...rest, levels, jobs: rest.jobs.filter((job) => job.lease !== old.lease) },
      {
        keys,
        receipts,
        effects: [{ kind: 'enforce-filters' }, { kind: 'run-engines' }],
        events: [{ to: range(levels.length), kind: 'node.transferred', fields: { lease } }],
        touched: range(levels.length).map((at) => ({ level: at, sees: 'statement' as const })),
        result: { lease, pair: level.pair, symmetric, everEnrolled: level.everEnrolled },
      },
    ),
  );
};
