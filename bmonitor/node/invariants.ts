import type { KeyRing } from '../keys/ring.js';
import { sharesFor } from '../keys/wrap.js';
import { filterCount } from './filter-state.js';
import { limits } from '../../protocol/limits.js';
import { isFullAdministrator, type Level, type NodeState } from './state.js';

/**
 * What holds at all times, whatever was commanded. Checked on every next state before it is made durable, and at every start.
 * Answers the rules that are broken, by name.
 */
export function brokenInvariants(state: NodeState, ring: KeyRing): readonly string[] {
  return rules.filter(([, holds]) => !holds(state, ring)).map(([name]) => name);
}

const rules: readonly (readonly [name: string, holds: (state: NodeState, ring: KeyRing) => boolean])[] = [
  [
    'the landlord has no term and is active',
    ({ levels: [first] }) => !first.term && first.status === 'active',
  ],
  [
    'every level below the landlord has a term that does not outlast the one above',
    ({ levels }) =>
      levels.every((level, at) => {
        const above = levels[at - 1]?.term;
        return at === 0 || (level.term !== undefined && (!above || level.term.until_s <= above.until_s));
      }),
  ],
  [
    'every level holds only rights that the one above holds',
    ({ levels }) =>
      levels.every((level, at) =>
        level.rights.every((right) => levels[at - 1]?.rights.includes(right) ?? true),
      ),
  ],
  [
    'only the last level may still wait to be taken',
    ({ levels }) => levels.every((level, at) => level.status !== 'granted' || at === levels.length - 1),
  ],
  [
    'below a dark level no level is active',
    ({ levels }) =>
      levels.every(
        (level, at) => level.status !== 'active' || levels.slice(0, at).every((up) => up.status === 'active'),
      ),
  ],
  ['no lease stands twice in the chain', ({ levels }) => distinct(levels.map((level) => level.lease))],
  [
    'every level has an administrator whose key is not limited to some nodes',
    ({ levels }) => levels.every((level) => level.roster.some(isFullAdministrator)),
  ],
  [
    'no key is enrolled twice',
    ({ levels }) => distinct(levels.flatMap((level) => level.roster.map((entry) => entry.id))),
  ],
  [
    'every enrolled key is listed among those ever enrolled',
    ({ levels }) =>
      levels.every((level) => level.roster.every((entry) => level.everEnrolled.includes(entry.id))),
  ],
  [
    'every level has a pair of its own in the ring, which is not a spare one',
    ({ levels }, ring) =>
      distinct(levels.flatMap(pairsOf)) &&
      levels.flatMap(pairsOf).every((id) => ring.pairs.has(id) && !ring.pool.includes(id)),
  ],
  [
    'the ring holds no pair that is neither a level’s nor spare',
    ({ levels }, ring) =>
      [...ring.pairs.keys()].every(
        (id) => ring.pool.includes(id) || levels.some((level) => pairsOf(level).includes(id)),
      ),
  ],
  [
    'the ring holds exactly the symmetric keys of the levels',
    ({ levels }, ring) =>
      sameSet(
        levels.flatMap((level) => (level.symmetric === undefined ? [] : [level.symmetric])),
        [...new Set([...ring.symmetric.keys(), ...ring.locked.keys(), ...ring.parked.keys()])],
      ),
  ],
  [
    'the ring holds exactly one data key and one outer key a lease',
    ({ levels }, ring) =>
      [ring.wrapped, ring.outer].every((keys) =>
        sameSet(
          levels.map((level) => level.lease),
          [...keys.keys()],
        ),
      ),
  ],
  [
    'a data key is open exactly while every K above it is',
    ({ levels }, ring) =>
      levels.every(({ lease }, at) => ring.data.has(lease) === (sharesFor(ring, levels, at) !== undefined)),
  ],
  [
    'no K of a dark lease is open, and none of another is sealed away',
    ({ levels }, ring) =>
      levels.every(
        ({ status, symmetric }) =>
          symmetric === undefined || !(status === 'dark' ? ring.symmetric : ring.parked).has(symmetric),
      ),
  ],
  [
    'a K rests under a share exactly where its level chose one',
    ({ levels }, ring) =>
      levels.every(
        ({ symmetric, shared }) =>
          (shared === true) === (symmetric !== undefined && ring.locked.has(symmetric)),
      ),
  ],
  [
    'the landlord’s filters deny what they do not name',
    ({ levels: [first] }) => first.filters.otherwise === 'deny',
  ],
  [
    'a level that has not been taken lets nothing pass',
    ({ levels }) =>
      levels.every(
        ({ status, filters }) =>
          status !== 'granted' || (filters.otherwise === 'deny' && filterCount(filters) === 0),
      ),
  ],
  [
    'no set has more filters than its limit',
    ({ levels }) => levels.every((level) => filterCount(level.filters) <= limits.filters_per_set_max),
  ],
  [
    'only an active level has a change that waits for confirmation',
    ({ levels }) => levels.every(({ waiting, status }) => !waiting || status === 'active'),
  ],
];

function pairsOf({ pair, previous }: Level): readonly string[] {
  return previous ? [pair.id, previous.id] : [pair.id];
}

function distinct(names: readonly string[]): boolean {
  return new Set(names).size === names.length;
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return distinct(a) && a.length === b.length && a.every((name) => b.includes(name));
}
