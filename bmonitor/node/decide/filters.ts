import type { ConsoleWay } from '../../../protocol/commands.js';
import { limits } from '../../../protocol/limits.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import type { Filter } from '../../filters/model.js';
import { parseFilter, parseFilterSet, parseNames } from '../../filters/parse.js';
import type { Decide } from '../decision.js';
import { decided, type Decision, type Given, type NodeEvent } from '../decision.js';
import {
  blocksOf,
  changeBlocks,
  changedFilters,
  filterCount,
  sameNames,
  type FilterState,
} from '../filter-state.js';
import { checkedLevel } from '../normal.js';
import { replaceLevel, withoutWaiting, type Level, type NodeState } from '../state.js';
import { restorableWay } from '../way.js';
import { levelOf } from './consoles.js';
import { clampToFit, fitsAbove, misfits, packetOf, type ClampedToFit } from './fit.js';
import { range } from './leases.js';

export const decideReplaceFilters: Decide<'filters.replace'> = (state, request, given) => {
  const { command, level } = request;
  const standing = levelOf(state, level);
  const may = mayChange(standing, command.expect);
  if (!may.ok) return may;
  if (command.keep !== undefined && command.confirmWithin === undefined)
    return refuse('bad-input', 'what is not undone need not be kept', { where: 'command.keep' });
  const own = standing.filters;
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
    way: command.way,
    ...(clamped === undefined ? {} : { clamped: clamped.value.clamped }),
  });
};

export const decideChangeFilters: Decide<'filters.change'> = (state, request, given) => {
  const { command, level } = request;
  const standing = levelOf(state, level);
  const may = mayChange(standing, command.expect);
  if (!may.ok) return may;
  const own = standing.filters;
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
  const names = command.names === undefined ? undefined : parseNames(command.names, 'command.names');
  if (names?.ok === false) return names;
  const next: FilterState = {
    ...own,
    version: own.version + 1,
    blocks: changeBlocks(own.blocks, new Set(command.remove), added, given.newId),
    names: names ? Object.fromEntries(names.value) : own.names,
  };
  if (filterCount(next) > limits.filters_per_set_max)
    return refuse('too-large', `a set has ${limits.filters_per_set_max} filters at most`);
  const { confirmWithin: within_s, way } = command;
  return settle(state, level, next, { ...request, given, within_s, way });
};

export const decideConfirmFilters: Decide<'filters.confirm'> = (
  state,
  { level: index, console, command },
) => {
  const level = levelOf(state, index);
  if (!level.waiting || level.filters.version !== command.version) return refuse('nothing-pending');
  // It is this console that could have been cut off: only its own word shows that it was not.
  if (level.waiting.console !== console)
    return refuse('not-authorised', 'only the console that asked for the change can confirm it');
  const confirmed = replaceLevel(state, index, withoutWaiting(level));
  return ok(decided(confirmed, { result: { version: command.version } }));
};

export const decideUndoFilters: Decide<'filters.undo'> = (state, { level: index, console, command }) => {
  const { waiting, filters } = levelOf(state, index);
  if (!waiting || filters.version !== command.version) return refuse('nothing-pending');
  if (waiting.console !== console)
    return refuse('not-authorised', 'only the console that asked for the change can take it back');
  const undone = undoWaiting(state, index, 'whole');
  if (!undone) return refuse('nothing-pending');
  return ok({ ...undone, loosens: loosens(filters, waiting.before) });
};

export const decideQuarantine: Decide<'quarantine'> = (state, { command }, given) => {
  const { quarantine: before, ...rest } = state;
  const to = range(state.levels.length);
  const levels = state.levels.map(withoutWaiting) as unknown as NodeState['levels'];
  if (!command.on)
    return ok(
      decided(
        { ...rest, levels },
        {
          loosens: true,
          effects: [{ kind: 'enforce-filters' }],
          events: [{ to, kind: 'quarantine.lifted', fields: {} }],
          touched: below(state).map((level) => ({ level, sees: 'statement' as const })),
          result: { on: false },
        },
      ),
    );
  const quarantine = before ?? { reason: command.reason ?? '', since_s: given.now_s };
  return ok(
    decided(
      { ...rest, levels, quarantine },
      {
        effects: [{ kind: 'enforce-filters' }],
        events: [{ to, kind: 'quarantine.on', fields: { reason: quarantine.reason } }],
        touched: below(state).map((level) => ({ level, sees: 'statement' as const })),
        result: { on: true, since: quarantine.since_s },
      },
    ),
  );
};

/**
 * A change was not confirmed in time: the way of the console that it cut off is restored, and nothing else, where that way is known; else what
 * was before comes back. `whole`: the console itself asks for what was before.
 */
export function undoWaiting(state: NodeState, at: number, how?: 'whole'): Decision | undefined {
  const level = levelOf(state, at);
  if (!level.waiting) return undefined;
  const { version } = level.filters;
  const { before, way } = level.waiting;
  const restored = how === 'whole' ? undefined : way;
  const filters: FilterState = restored
    ? { ...level.filters, version: version + 1, restored }
    : { ...before, version: version + 1 };
  const undone = replaceLevel(state, at, { ...withoutWaiting(level), filters });
  const cut = noLongerFitting(state, undone, at);
  return decided(undone, {
    effects: [{ kind: 'enforce-filters' }],
    events: [
      {
        to: [at],
        kind: 'filters.undone',
        fields: {
          version: filters.version,
          ...(restored ? { restored: `${restored.peer} ${restored.port}` } : {}),
        },
      },
      ...(cut.ok ? cut.value : []),
    ],
    touched: [{ level: at, sees: 'statement' }],
    result: { undone: version, version: filters.version },
  });
}

function mayChange({ filters: { version }, waiting }: Level, expect: number): Result<void> {
  if (expect !== version)
    return refuse('version-mismatch', `the filters stand at version ${version}`, { data: { version } });
  return waiting ? refuse('change-pending', `version ${version}`) : ok(undefined);
}

interface Settling {
  readonly console: string;
  readonly given: Given;
  readonly within_s: number | undefined;
  readonly way: ConsoleWay | undefined;
  readonly source?: string;
  readonly clamped?: ClampedToFit['clamped'];
}

function settle(state: NodeState, at: number, next: FilterState, how: Settling): Result<Decision> {
  const level = levelOf(state, at);
  if (at === 0 && next.otherwise !== 'deny')
    return refuse('bad-input', 'the landlord has nobody to inherit from', { where: 'command.set.otherwise' });
  const checked = checkedLevel(next, 'command.set.filters');
  if (!checked.ok) return checked;
  if (how.way && how.within_s === undefined)
    return refuse('bad-input', 'a way is restored only where a change is undone', { where: 'command.way' });
  const way = restorableWay(level.filters, how.way, how.source);
  if (!way.ok) return way;
  const waiting =
    how.within_s === undefined
      ? {}
      : {
          waiting: {
            console: how.console,
            undoAt_s: how.given.now_s + how.within_s,
            before: level.filters,
            ...(way.value ? { way: way.value } : {}),
          },
        };
  const changed = replaceLevel(state, at, { ...level, filters: next, ...waiting });
  const fits = fitsAbove(changed, at, state);
  if (!fits.ok) return fits;
  const cut = noLongerFitting(state, changed, at);
  if (!cut.ok) return cut;
  return ok(
    decided(changed, {
      loosens: loosens(level.filters, next),
      effects: [{ kind: 'enforce-filters' }],
      events: [
        {
          to: [at],
          kind: 'filters.changed',
          fields: { version: next.version, filters: filterCount(next) },
        },
        ...cut.value,
      ],
      touched: below(state, at).map((index) => ({ level: index, sees: 'name' as const })),
      result: {
        version: next.version,
        filters: filterCount(next),
        ...(cut.value.length === 0 ? {} : { levelsNoLongerFit: cut.value.length }),
        ...(how.clamped === undefined ? {} : { clamped: how.clamped }),
        ...(how.within_s === undefined
          ? {}
          : { undoAt: how.given.now_s + how.within_s, undoes: way.value ? 'way' : 'whole' }),
      },
    }),
  );
}

/** Filters are never changed in place, and most of a set that is replaced were in the one before. */
const knownTexts = new WeakMap<Filter, string>();

function textOf(filter: Filter): string {
  const known = knownTexts.get(filter) ?? JSON.stringify(filter);
  knownTexts.set(filter, known);
  return known;
}

/** True unless it is plain that nothing new passes: no new allow, no deny less, no name that means something else. */
function loosens(before: FilterState, after: FilterState): boolean {
  if (before.otherwise === 'deny' && after.otherwise === 'inherit') return true;
  if (!sameNames(before, after)) return true;
  const { added, removed } = changedFilters(before, after);
  const texts = (list: readonly Filter[], action: Filter['action']): ReadonlySet<string> =>
    new Set(list.filter((filter) => filter.action === action).map(textOf));
  const gone = texts(removed, 'allow');
  const come = texts(added, 'deny');
  return (
    [...texts(added, 'allow')].some((text) => !gone.has(text)) ||
    [...texts(removed, 'deny')].some((text) => !come.has(text))
  );
}

/** Tells the levels below whose filters fitted before and do not any more. What they lost is not passed already. */
function noLongerFitting(before: NodeState, after: NodeState, at: number): Result<readonly NodeEvent[]> {
  const was = misfits(before, at);
  if (!was.ok) return was;
  const now = misfits(after, at, before);
  if (!now.ok) return now;
  return ok(
    [...now.value].flatMap(([level, found]): readonly NodeEvent[] =>
      was.value.has(level)
        ? []
        : [
            {
              to: [level],
              kind: 'filters.no-longer-fit',
              fields: { packet: packetOf(found), filter: found.inner[0] ?? 0, refusedBy: found.level },
            },
          ],
    ),
  );
}

function below(state: NodeState, at = 0): readonly number[] {
  return range(state.levels.length).filter((level) => level > at);
}
