import { ok, refuse, type Result } from '../../../protocol/result.js';
import type { KeyChange } from '../../keys/ring.js';
import { decided, type Decide, type Decision, type Given } from '../decision.js';
import { closedSet, initialFilters } from '../filter-state.js';
import { trimmedTo } from '../history-room.js';
import {
  emptyHistory,
  nextEpoch,
  replaceLevel,
  type Consent,
  type Enrolled,
  type Level,
  type NodeState,
  type Term,
} from '../state.js';
import { levelOf } from './consoles.js';
import { keepRecent } from './history.js';
import { goOnReencrypting, reencryption, withoutReencrypting } from './reencrypt.js';
import { endFrom, range } from './leases.js';

/** The first K of a level. Nothing is destroyed by it: the data below is wrapped anew, and needs one more key from then on. */
export const decideMakeKey: Decide<'keys.make'> = (state, { level: index }, given) => {
  const level = levelOf(state, index);
  if (level.symmetric !== undefined) return refuse('key-exists', level.symmetric);
  const open = allOpen(state, index, given);
  if (!open.ok) return open;
  const id = given.newId();
  const keys: KeyChange[] = [{ kind: 'make-symmetric', id }, { kind: 'new-salt' }];
  return ok(
    decided(replaceLevel(state, index, { ...level, symmetric: id }), {
      keys,
      receipts: [keysReceipt(state, index, keys)],
      events: [keysEvent(state, index)],
      result: { symmetric: id },
    }),
  );
};

/** Another pair for a level, and with it what is said of its K and its data. */
export const decideRotateKeys: Decide<'keys.rotate'> = (state, request, given) => {
  const { level: index, command } = request;
  if (command.level < index)
    return refuse('not-authorised', 'a level rotates its own keys, or those of a level below');
  if (command.level >= state.levels.length) return refuse('not-found', `there is no level ${command.level}`);
  if (!given.sparePair) return refuse('no-spare-pair');
  return command.level > index
    ? replaceBelow(state, command, given, given.sparePair)
    : rotateOwn(state, index, command, given, given.sparePair);
};

type Rotation = Parameters<typeof decideRotateKeys>[1]['command'];
type Spare = NonNullable<Given['sparePair']>;

function rotateOwn(
  state: NodeState,
  index: number,
  command: Rotation,
  given: Given,
  pair: Spare,
): Result<Decision> {
  const level = levelOf(state, index);
  // A new pair of the landlord replaces its K too.
  const replacesKey = command.key || (index === 0 && level.symmetric !== undefined);
  const below = state.levels.slice(index + 1);
  const reached = replacesKey ? [level, ...below] : [level];
  const named = names(command.data === 'destroy' ? reached.map((one) => one.lease) : [], command.destroys);
  if (!named.ok) return named;
  if (command.data !== 'destroy') {
    const open = allOpen(state, index, given);
    if (!open.ok) return open;
    if (replacesKey) {
      const keyed = below.filter((one) => one.symmetric !== undefined);
      const agreed = haveConsented(keyed, { to: level.lease, act: 'rotate' });
      if (!agreed.ok) return agreed;
    }
  } else {
    const able = canRenew(state, index, replacesKey, given);
    if (!able.ok) return able;
  }
  const job = command.data === 'reencrypt' ? reencryption(state, index, given) : undefined;
  if (job?.ok === false) return job;
  const symmetric = replacesKey ? given.newId() : level.symmetric;
  const destroyed = command.data === 'destroy' ? reached : [];
  const keys: KeyChange[] = [
    { kind: 'use-pair', id: pair.id },
    { kind: 'destroy-pair', id: level.pair.id },
    ...(replacesKey && level.symmetric !== undefined
      ? [{ kind: 'destroy-symmetric', id: level.symmetric } as const]
      : []),
    ...(replacesKey && symmetric !== undefined ? [{ kind: 'make-symmetric', id: symmetric } as const] : []),
    ...destroyed.map(({ lease }) => ({ kind: 'renew-data', lease }) as const),
    { kind: 'new-salt' },
  ];
  const levels = state.levels.map((one, at): Level => {
    const own =
      at === index ? ownRotated(one, pair, symmetric, replacesKey) : withoutConsentTo(one, level.lease);
    if (destroyed.includes(one)) return withoutData(own);
    return at === index && job ? { ...own, reserved: nextEpoch(own) } : own;
  });
  const jobs = withoutReencrypting(
    state.jobs,
    destroyed.map((one) => one.lease),
  );
  return ok(
    decided(
      {
        ...state,
        levels: levels as unknown as NodeState['levels'],
        jobs: job ? keepRecent([...jobs, job.value]) : jobs,
      },
      {
        keys,
        receipts: [keysReceipt(state, index, keys)],
        effects: [
          // Engines stand still while their files are encrypted anew.
          ...(job || destroyed.length > 0 ? [{ kind: 'run-engines' } as const] : []),
          ...(job ? [{ kind: 'run-job', job: job.value.id } as const] : []),
        ],
        events: [keysEvent(state, index)],
        touched: replacesKey
          ? below.map((_, at) => ({ level: index + 1 + at, sees: 'statement' as const }))
          : [],
        result: {
          pair,
          ...(symmetric === undefined ? {} : { symmetric }),
          data: command.data,
          destroyed: destroyed.map((one) => one.lease),
          ...(job ? { job: job.value.id } : {}),
        },
      },
    ),
  );
}

/**
 * Whoever replaces the pair of a level below takes its place, as far as the node can know: so it is a new lease that inherits nothing but its
 * term, its rights and the keys of its consoles, and waits for them to take it. Everything of the old one is destroyed in the same step.
 */
function replaceBelow(state: NodeState, command: Rotation, given: Given, pair: Spare): Result<Decision> {
  const old = levelOf(state, command.level);
  if (command.data !== 'destroy')
    return refuse('data-not-yours', 'the keys of a lower level are only replaced with destroy');
  const ended = state.levels.slice(command.level);
  const named = names(
    ended.map((level) => level.lease),
    command.destroys,
  );
  if (!named.ok) return named;
  const above = state.levels[command.level - 1];
  if (above && given.locked.has(above.lease)) return refuse('shares-outstanding');
  const end = endFrom(state, command.level, 'ended');
  const lease = given.newId();
  const level: Level = {
    lease,
    status: 'granted',
    rights: old.rights,
    ...(old.term ? { term: withoutDark(old.term) } : {}),
    pair,
    // Who is limited to nodes with labels stays so: the level has none here until it is taken.
    roster: old.roster.map(neverHeard),
    everEnrolled: old.roster.map((entry) => entry.id),
    filters: initialFilters(closedSet),
    history: emptyHistory,
    epoch: 0,
    receipts: 0,
  };
  const made: KeyChange[] = [
    { kind: 'use-pair', id: pair.id },
    { kind: 'make-data', lease },
  ];
  const next = { ...end.state, levels: [...end.state.levels, level] as unknown as NodeState['levels'] };
  return ok({
    ...end,
    state: next,
    keys: [...end.keys, ...made],
    receipts: [
      ...end.receipts,
      { to: range(command.level + 1), act: 'grant', level: command.level, lease, keys: made },
    ],
    touched: [{ level: command.level, sees: 'statement' }],
    result: { ...end.result, lease, level: command.level, pair },
  });
}

/** A level's word that a level above may replace a key over its data and keep it. */
export const decideConsent: Decide<'keys.consent'> = (state, { level: index, command }) => {
  const level = levelOf(state, index);
  const upper = state.levels.slice(0, index).findIndex((one) => one.lease === command.to);
  if (upper === -1) return refuse('lease-unknown', 'no level above has this lease');
  if (command.act === 'transfer' && (upper !== 0 || command.holder === undefined))
    return refuse('bad-input', 'a transfer is of the landlord’s level, and names its new holder', {
      where: 'command.holder',
    });
  const consent: Consent = {
    to: command.to,
    act: command.act,
    ...(command.holder === undefined ? {} : { holder: command.holder }),
  };
  const others = (level.consents ?? []).filter((one) => one.to !== consent.to || one.act !== consent.act);
  return ok(
    decided(replaceLevel(state, index, { ...level, consents: [...others, consent] }), {
      events: [
        { to: [upper, index], kind: 'keys.consent', fields: { lease: level.lease, act: consent.act } },
      ],
      touched: [{ level: upper, sees: 'statement' }],
      result: { consents: [...others, consent] },
    }),
  );
};

/** From now on, or no longer, a start of the node leaves the K locked until its level has sent the share again. */
export const decideShare: Decide<'keys.share'> = (state, { level: index, command }, given) => {
  const level = levelOf(state, index);
  const id = level.symmetric;
  if (id === undefined) return refuse('no-key', 'the level has no K to lock');
  // Who lost the share is helped by keys.rotate with destroy, and by nothing else.
  if (level.shared && !given.shareOpens(id, given.shares?.old)) return refuse('share-wrong', 'old');
  if (given.locked.has(level.lease)) return refuse('shares-outstanding');
  const { shared: _, ...rest } = level;
  const share = given.shares?.share;
  if (command.share === undefined)
    return ok(
      decided(replaceLevel(state, index, rest), {
        keys: [{ kind: 'clear-share', id }],
        result: { share: false },
      }),
    );
  if (!share) return refuse('share-wrong', 'it is not sealed to this start of the node, for this key');
  return ok(
    decided(replaceLevel(state, index, { ...rest, shared: true }), {
      keys: [{ kind: 'set-share', id, share }],
      result: { share: true },
    }),
  );
};

export const decideUnlock: Decide<'keys.unlock'> = (state, { level: index }, given) => {
  const level = levelOf(state, index);
  const id = level.symmetric;
  if (id === undefined || !level.shared) return refuse('no-key', 'the level has no K that a share opens');
  const share = given.shares?.share;
  if (!share || !given.shareOpens(id, share)) return refuse('share-wrong');
  return ok(
    decided(state, {
      keys: [{ kind: 'unlock', id, share }],
      effects: [{ kind: 'run-engines' }, ...goOnReencrypting(state)],
      events: [keysEvent(state, index, 'keys.unlocked')],
      result: { unlocked: id },
    }),
  );
};

/** Nothing is destroyed by a plain yes: the command names exactly what goes. */
export function names(destroyed: readonly string[], named: readonly string[] | undefined): Result<void> {
  const said = new Set(named ?? []);
  const same = said.size === destroyed.length && destroyed.every((lease) => said.has(lease));
  return same ? ok(undefined) : refuse('destroys-not-named', undefined, { data: { destroys: destroyed } });
}

/** A new data key must be wrapped at once: by every K above, by its own, and so for each level below. */
function canRenew(state: NodeState, index: number, replacesKey: boolean, given: Given): Result<void> {
  const [above, own, below] = [state.levels[index - 1], state.levels[index], state.levels.slice(index + 1)];
  const ownStays = own && !replacesKey ? [own] : [];
  const needed = [...(above ? [above] : []), ...ownStays, ...below];
  return needed.some((level) => given.locked.has(level.lease)) ? refuse('shares-outstanding') : ok(undefined);
}

/** Everything from this level down can be wrapped anew only while it can be opened. */
export function allOpen(state: NodeState, from: number, given: Given): Result<void> {
  const locked = state.levels.slice(from).filter((level) => given.locked.has(level.lease));
  return locked.length === 0 ? ok(undefined) : refuse('shares-outstanding');
}

/** Every one of these levels must have agreed before a key over its data is replaced and the data kept. */
export function haveConsented(levels: readonly Level[], wanted: Consent): Result<void> {
  const missing = levels.filter(
    (level) =>
      !(level.consents ?? []).some(
        (one) => one.to === wanted.to && one.act === wanted.act && one.holder === wanted.holder,
      ),
  );
  return missing.length === 0
    ? ok(undefined)
    : refuse('needs-owner', undefined, { data: { leases: missing.map((level) => level.lease) } });
}

export function withoutConsentTo(level: Level, lease: string): Level {
  if (!level.consents) return level;
  const { consents, ...rest } = level;
  const left = consents.filter((one) => one.to !== lease);
  return left.length === 0 ? rest : { ...rest, consents: left };
}

function ownRotated(level: Level, pair: Spare, symmetric: string | undefined, replacesKey: boolean): Level {
  const { shared, ...rest } = level;
  return {
    ...rest,
    pair,
    ...(symmetric === undefined ? {} : { symmetric }),
    // A share was for the K that is gone.
    ...(shared && !replacesKey ? { shared } : {}),
  };
}

/** What rested under the old data key is gone: the history goes on after what cannot be read any more. */
function withoutData(level: Level): Level {
  const { engines: _gone, ...rest } = level;
  const history = trimmedTo(level.history, level.history.head.seq + 1);
  return { ...rest, epoch: nextEpoch(level), history };
}

/** The new lease has the same end, and goes dark for itself. */
/** An entry of a roster whose console has commanded nothing yet. */
function neverHeard(entry: Enrolled): Enrolled {
  const { last: _, ...rest } = entry;
  return rest;
}

function withoutDark({ dark_s: _ended, ...term }: Term): Term {
  return term;
}

export function keysReceipt(
  state: NodeState,
  index: number,
  keys: readonly KeyChange[],
): Decision['receipts'][number] {
  return {
    to: range(state.levels.length),
    act: 'keys',
    level: index,
    lease: levelOf(state, index).lease,
    keys,
  };
}

export function keysEvent(
  state: NodeState,
  index: number,
  kind = 'keys.changed',
): Decision['events'][number] {
  return {
    to: range(state.levels.length),
    kind,
    fields: { level: index, lease: levelOf(state, index).lease },
  };
}
