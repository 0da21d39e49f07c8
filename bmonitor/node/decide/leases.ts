import type { Right } from '../../../protocol/commands.js';
import { limits } from '../../../protocol/limits.js';
import type { EndReason } from '../../../protocol/receipt.js';
import { ok, refuse } from '../../../protocol/result.js';
import type { KeyChange } from '../../keys/ring.js';
import type { Decide, Decision } from '../decision.js';
import { decided, type NodeEvent } from '../decision.js';
import { closedSet, initialFilters } from '../filter-state.js';
import { emptyHistory, replaceLevel, termOf, type Level, type NodeState } from '../state.js';
import { enrolAll, enrolledAnywhere, levelOf } from './consoles.js';
import { goOnReencrypting } from './reencrypt.js';

const destroyAfterNormal_s = 72 * 3600;

export const decideGrantLease: Decide<'lease.grant'> = (state, { level: index, command }, given) => {
  if (state.levels.length > index + 1) return refuse('chain-occupied');
  if (state.levels.length >= limits.levels_max) return refuse('chain-full');
  const granter = levelOf(state, index);
  if (given.locked.has(granter.lease)) return refuse('shares-outstanding');
  const missing = command.rights.find((right) => !granter.rights.includes(right));
  if (missing) return refuse('right-not-held', missing);
  if (command.until <= given.now_s) return refuse('lease-shortened', 'until is not in the future');
  if (granter.term && command.until > granter.term.until_s)
    return refuse('right-not-held', 'a lease cannot outlast the lease it comes from');
  const roster = enrolAll(command.to);
  if (!roster.ok) return roster;
  if (roster.value.some((entry) => enrolledAnywhere(state, entry.id))) return refuse('already-enrolled');
  if (!given.sparePair) return refuse('no-spare-pair');
  const lease = given.newId();
  const level: Level = {
    lease,
    status: 'granted',
    rights: unique(command.rights),
    term: termOf(state, command.until, command.destroyAfter ?? destroyAfterNormal_s),
    pair: given.sparePair,
    roster: roster.value,
    everEnrolled: roster.value.map((entry) => entry.id),
    // Until its holder takes it, nothing of the lease passes.
    filters: initialFilters(closedSet),
    history: emptyHistory,
    epoch: 0,
    receipts: 0,
  };
  const keys: KeyChange[] = [
    { kind: 'use-pair', id: level.pair.id },
    { kind: 'make-data', lease },
    { kind: 'new-salt' },
  ];
  return ok(
    decided(
      { ...state, levels: [...state.levels, level] },
      {
        keys,
        receipts: [
          { to: range(index + 2), act: 'grant', level: index + 1, lease, keys, until_s: command.until },
        ],
        effects: [{ kind: 'enforce-filters' }, { kind: 'run-engines' }],
        events: [{ to: range(index + 2), kind: 'lease.granted', fields: { lease, level: index + 1 } }],
        touched: [{ level: index + 1, sees: 'statement' }],
        result: { lease, level: index + 1, pair: level.pair },
      },
    ),
  );
};

/** Roster, pair and symmetric key in one step: from here on nobody who saw the grant can speak for the level, or read what is sealed to it. */
export const decideTakeLease: Decide<'lease.take'> = (state, { level: index, command }, given) => {
  const level = levelOf(state, index);
  const roster = enrolAll(command.roster);
  if (!roster.ok) return roster;
  if (given.locked.has(level.lease)) return refuse('shares-outstanding');
  const above = state.levels.slice(0, index);
  if (
    roster.value.some((entry) => above.some((upper) => upper.roster.some((other) => other.id === entry.id)))
  )
    return refuse('already-enrolled');
  if (!given.sparePair) return refuse('no-spare-pair');
  const symmetric = command.key ? given.newId() : undefined;
  const next: Level = {
    ...level,
    status: 'active',
    pair: given.sparePair,
    previous: level.pair,
    ...(symmetric === undefined ? {} : { symmetric }),
    roster: roster.value,
    everEnrolled: [...new Set([...level.everEnrolled, ...roster.value.map((entry) => entry.id)])],
    // The boundary of the levels above holds; the new holder has not narrowed it yet.
    filters: { ...initialFilters({ otherwise: 'inherit', filters: [] }), version: level.filters.version + 1 },
  };
  const keys: KeyChange[] = [{ kind: 'use-pair', id: next.pair.id }];
  if (symmetric !== undefined) keys.push({ kind: 'make-symmetric', id: symmetric }, { kind: 'new-salt' });
  return ok(
    decided(replaceLevel(state, index, next), {
      keys,
      receipts: [{ to: range(index + 1), act: 'take', level: index, lease: level.lease, keys }],
      effects: [{ kind: 'enforce-filters' }, { kind: 'run-engines' }],
      events: [{ to: range(index + 1), kind: 'lease.taken', fields: { lease: level.lease, level: index } }],
      result: {
        lease: level.lease,
        pair: next.pair,
        ...(symmetric === undefined ? {} : { symmetric }),
        everEnrolled: next.everEnrolled,
        rights: next.rights,
      },
    }),
  );
};

export const decideExtendLease: Decide<'lease.extend'> = (state, { level: index, command }, given) => {
  const below = state.levels[index + 1];
  if (!below?.term || below.lease !== command.lease) return refuse('lease-unknown');
  if (command.until <= below.term.until_s || command.until <= given.now_s) return refuse('lease-shortened');
  const own = levelOf(state, index).term;
  if (own && command.until > own.until_s)
    return refuse('right-not-held', 'a lease cannot outlast the lease it comes from');
  const next: Level = {
    ...below,
    // A level that went dark and still has its keys comes back as it was.
    status: below.status === 'dark' ? statusBeforeDark(below) : below.status,
    term: termOf(state, command.until, below.term.destroyAfter_s),
  };
  return ok(
    decided(replaceLevel(state, index + 1, next), {
      receipts: [
        {
          to: range(index + 2),
          act: 'extend',
          level: index + 1,
          lease: below.lease,
          keys: [],
          until_s: command.until,
        },
      ],
      effects: [{ kind: 'enforce-filters' }, { kind: 'run-engines' }, ...goOnReencrypting(state)],
      events: [
        {
          to: range(index + 2),
          kind: 'lease.extended',
          fields: { lease: below.lease, until: command.until },
        },
      ],
      touched: [{ level: index + 1, sees: 'statement' }],
      result: { lease: below.lease, until: command.until },
    }),
  );
};

/** A lease that was never taken has not got a symmetric key, nor a version of its filters above the first. */
function statusBeforeDark(level: Level): 'granted' | 'active' {
  return level.filters.version === 0 ? 'granted' : 'active';
}

/** A level ends its own lease or one below it; all below goes with it, in one step. */
export const decideEndLease: Decide<'lease.end'> = (state, { level: index, command }) => {
  const at = state.levels.findIndex((level, i) => i >= index && i > 0 && level.lease === command.lease);
  if (at === -1) return refuse('lease-unknown');
  // Those between lose what they had granted: it is their business too.
  const between = range(at).filter((one) => one > index);
  return ok({
    ...endFrom(state, at, 'ended'),
    touched: between.map((one) => ({ level: one, sees: 'statement' as const })),
  });
};

/** Takes the levels from `at` on out of the chain, with every key they had. */
export function endFrom(state: NodeState, at: number, reason: EndReason) {
  const ended = state.levels.slice(at);
  const events: NodeEvent[] = ended.map((level) => ({
    to: range(at),
    kind: 'lease.ended',
    fields: { lease: level.lease, reason },
  }));
  const kept = state.levels.slice(0, at) as unknown as NodeState['levels'];
  const jobs = state.jobs.filter((job) => !ended.some((level) => level.lease === job.lease));
  const next: NodeState = { ...state, levels: kept, jobs };
  return decided(next, {
    keys: [...ended.flatMap(destroyKeys), { kind: 'new-salt' }],
    receipts: ended.map((level, below) => ({
      to: range(at),
      act: 'end' as const,
      level: at + below,
      lease: level.lease,
      keys: [...destroyKeys(level), { kind: 'new-salt' as const }],
      reason,
    })),
    effects: [{ kind: 'enforce-filters' }, { kind: 'run-engines' }],
    events,
    result: { ended: ended.map((level) => level.lease), reason },
  });
}

export function destroyKeys(level: Level): readonly KeyChange[] {
  return [
    { kind: 'destroy-pair', id: level.pair.id },
    ...(level.previous === undefined ? [] : [{ kind: 'destroy-pair', id: level.previous.id } as const]),
    ...(level.symmetric === undefined ? [] : [{ kind: 'destroy-symmetric', id: level.symmetric } as const]),
    { kind: 'destroy-data', lease: level.lease },
  ];
}

/** The answer that named the new pair has arrived: the one before opens nothing any more. */
export function settlePair(state: NodeState, lease: string): Decision | undefined {
  const index = state.levels.findIndex((level) => level.lease === lease);
  const level = state.levels[index];
  if (!level?.previous) return undefined;
  const { previous, ...settled } = level;
  const keys: readonly KeyChange[] = [{ kind: 'destroy-pair', id: previous.id }];
  return decided(replaceLevel(state, index, settled), {
    keys,
    receipts: [{ to: range(index + 1), act: 'keys', level: index, lease, keys }],
  });
}

export function range(count: number): readonly number[] {
  return Array.from({ length: count }, (_, at) => at);
}

function unique(rights: readonly Right[]): readonly Right[] {
  return [...new Set(rights)];
}
