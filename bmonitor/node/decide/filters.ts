import { limits } from '../../../protocol/limits.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import type { Filter } from '../../filters/model.js';
import { normaliseSet } from '../../filters/normalise.js';
import { parseFilter, parseFilterSet, parseNames } from '../../filters/parse.js';
import type { Decide } from '../decision.js';
import { decided, type Decision, type Given } from '../decision.js';
import { blocksOf, changeBlocks, filterCount, filtersOf, setOf, type FilterState } from '../filter-state.js';
import { replaceLevel, type NodeState } from '../state.js';
import { levelOf } from './consoles.js';
import { clampToFit, fitsAbove, type ClampedToFit } from './fit.js';
import { range } from './leases.js';

export const decideReplaceFilters: Decide<'filters.replace'> = (state, request, given) => {
  const { command, level } = request;
  const own = levelOf(state, level).filters;
  const may = mayChange(state, own, command.expect);
  if (!may.ok) return may;
  const set = parseFilterSet(command.set, 'command.set');
  if (!set.ok) return set;
  const names = parseNames(command.names ?? {}, 'command.names');
  if (!names.ok) return names;
  const clamped = command.clamp === true ? clampToFit(state, level, set.value, names.value) : undefined;
  if (clamped?.ok === false) return clamped;
  const { otherwise, onRefuse = 'drop', filters } = clamped?.value.set ?? set.value;
  const next: FilterState = {
    version: own.version + 1,
    otherwise,
    onRefuse,
    blocks: blocksOf(filters, given.newId),
    names: Object.fromEntries(names.value),
  };
  return settle(state, level, next, {
    ...request,
    given,
    within_s: command.confirmWithin,
    ...(clamped === undefined ? {} : { clamped: clamped.value.clamped }),
  });
};

export const decideChangeFilters: Decide<'filters.change'> = (state, request, given) => {
  const { command, level } = request;
  const own = levelOf(state, level).filters;
  const may = mayChange(state, own, command.expect);
  if (!may.ok) return may;
  const count = filterCount(own);
  const outside = command.remove.findIndex((index) => index >= count);
  if (outside !== -1)
    return refuse('bad-input', `there are ${count} filters`, { where: `command.remove[${outside}]` });
  const added: Filter[] = [];
  for (const [index, one] of command.add.entries()) {
    const parsed = parseFilter(one, `command.add[${index}]`);
    if (!parsed.ok) return parsed;
    added.push(parsed.value);
  }
  const names = parseNames(command.names ?? own.names, 'command.names');
  if (!names.ok) return names;
  const next: FilterState = {
    ...own,
    version: own.version + 1,
    blocks: changeBlocks(own.blocks, new Set(command.remove), added, given.newId),
    names: Object.fromEntries(names.value),
  };
  if (filterCount(next) > limits.filters_per_set_max)
    return refuse('too-large', `a set has ${limits.filters_per_set_max} filters at most`);
  return settle(state, level, next, { ...request, given, within_s: command.confirmWithin });
};

export const decideConfirmFilters: Decide<'filters.confirm'> = (state, { level, command }) => {
  const { pending, ...rest } = state;
  if (!pending || pending.level !== level || pending.version !== command.version)
    return refuse('nothing-pending');
  return ok(decided(rest, { result: { version: command.version } }));
};

export const decideQuarantine: Decide<'quarantine'> = (state, { command }, given) => {
  // An undo that waits is void: it would restore a set that was weighed under another state.
  const { quarantine: before, pending: _void, ...rest } = state;
  const to = range(state.levels.length);
  if (!command.on)
    return ok(
      decided(rest, {
        loosens: true,
        effects: [{ kind: 'enforce-filters' }],
        events: [{ to, kind: 'quarantine.lifted', fields: {} }],
        touched: below(state).map((level) => ({ level, sees: 'statement' as const })),
        result: { on: false },
      }),
    );
  const quarantine = before ?? { reason: command.reason ?? '', since_s: given.now_s };
  return ok(
    decided(
      { ...rest, quarantine },
      {
        effects: [{ kind: 'enforce-filters' }],
        events: [{ to, kind: 'quarantine.on', fields: { reason: quarantine.reason } }],
        touched: below(state).map((level) => ({ level, sees: 'statement' as const })),
        result: { on: true, since: quarantine.since_s },
      },
    ),
  );
};

/** The change that waited was not confirmed in time: what was before comes back. */
export function undoPending(state: NodeState): Decision | undefined {
  const { pending, ...rest } = state;
  const level = pending && state.levels[pending.level];
  if (!pending || level?.lease !== pending.lease) return undefined;
  const filters: FilterState = { ...pending.before, version: pending.version + 1 };
  return decided(replaceLevel(rest, pending.level, { ...level, filters }), {
    effects: [{ kind: 'enforce-filters' }],
    events: [{ to: [pending.level], kind: 'filters.undone', fields: { version: filters.version } }],
    touched: [{ level: pending.level, sees: 'statement' }],
    result: { undone: pending.version, version: filters.version },
  });
}

function mayChange(state: NodeState, own: FilterState, expect: number): Result<void> {
  if (expect !== own.version)
    return refuse('version-mismatch', `the filters stand at version ${own.version}`, {
      data: { version: own.version },
    });
  return state.pending ? refuse('change-pending', `version ${state.pending.version}`) : ok(undefined);
}

interface Settling {
  readonly console: string;
  readonly given: Given;
  readonly within_s: number | undefined;
  readonly clamped?: ClampedToFit['clamped'];
}

function settle(state: NodeState, at: number, next: FilterState, how: Settling): Result<Decision> {
  const level = levelOf(state, at);
  if (at === 0 && next.otherwise !== 'deny')
    return refuse('bad-input', 'the landlord has nobody to inherit from', { where: 'command.set.otherwise' });
  const normal = normaliseSet(setOf(next), new Map(Object.entries(next.names)), 'command.set');
  if (!normal.ok) return normal;
  const fits = fitsAbove(state, at, normal.value);
  if (!fits.ok) return fits;
  const pending =
    how.within_s === undefined
      ? {}
      : {
          pending: {
            level: at,
            lease: level.lease,
            version: next.version,
            console: how.console,
            undoAt_s: how.given.now_s + how.within_s,
            before: level.filters,
          },
        };
  return ok(
    decided(
      { ...replaceLevel(state, at, { ...level, filters: next }), ...pending },
      {
        loosens: loosens(level.filters, next),
        effects: [{ kind: 'enforce-filters' }],
        events: [
          {
            to: [at],
            kind: 'filters.changed',
            fields: { version: next.version, filters: filterCount(next) },
          },
        ],
        touched: below(state, at).map((index) => ({ level: index, sees: 'name' as const })),
        result: {
          version: next.version,
          filters: filterCount(next),
          ...(how.clamped === undefined ? {} : { clamped: how.clamped }),
          ...(how.within_s === undefined ? {} : { undoAt: how.given.now_s + how.within_s }),
        },
      },
    ),
  );
}

/** True unless it is plain that nothing new passes: no new allow, no deny less, no name that means something else. */
function loosens(before: FilterState, after: FilterState): boolean {
  if (before.otherwise === 'deny' && after.otherwise === 'inherit') return true;
  if (JSON.stringify(before.names) !== JSON.stringify(after.names)) return true;
  const texts = (state: FilterState, action: Filter['action']): ReadonlySet<string> =>
    new Set(
      filtersOf(state)
        .filter((filter) => filter.action === action)
        .map((filter) => JSON.stringify(filter)),
    );
  const allowedBefore = texts(before, 'allow');
  const deniedAfter = texts(after, 'deny');
  return (
    [...texts(after, 'allow')].some((text) => !allowedBefore.has(text)) ||
    [...texts(before, 'deny')].some((text) => !deniedAfter.has(text))
  );
}

function below(state: NodeState, at = 0): readonly number[] {
  return range(state.levels.length).filter((level) => level > at);
}
