import type { Pair } from '../../crypto/rsa.js';
import { rights, type ConsoleKey } from '../../protocol/commands.js';
import { firstRing, type KeyRing } from '../keys/ring.js';
import { enrol } from './decide/consoles.js';
import { closedSet, initialFilters } from './filter-state.js';
import { emptyHistory, type NodeState } from './state.js';

export interface FirstState {
  readonly name: string;
  /** The consoles of the landlord; the first is an administrator. */
  readonly landlord: readonly ConsoleKey[];
  readonly lease: string;
  readonly tls: Pair;
  /** The landlord's pair, and those that are spare. */
  readonly pairs: readonly [Pair, ...Pair[]];
  readonly now_s: number;
}

/** What a node is before anyone commanded it: the landlord's alone, closed, with some pairs made ahead. */
export function firstState(first: FirstState): { readonly state: NodeState; readonly ring: KeyRing } {
  const [own, ...spare] = first.pairs;
  const roster = first.landlord.map(enrol);
  const state: NodeState = {
    v: 1,
    generation: 1,
    name: first.name,
    levels: [
      {
        lease: first.lease,
        status: 'active',
        rights,
        pair: { id: own.public.id, jwk: own.public.jwk },
        roster,
        everEnrolled: roster.map((entry) => entry.id),
        filters: initialFilters(closedSet),
        history: emptyHistory,
        epoch: 0,
        receipts: 0,
      },
    ],
    jobs: [],
    timeFloor_s: first.now_s,
  };
  const ring = firstRing(
    {
      tls: first.tls,
      pairs: new Map(first.pairs.map((pair) => [pair.public.id, pair])),
      pool: spare.map((pair) => pair.public.id),
    },
    first.lease,
  );
  return { state, ring };
}
