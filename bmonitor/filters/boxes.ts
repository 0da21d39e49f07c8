import type { Direction, Family, OnRefuse, Otherwise, ServiceRange } from './model.js';

/**
 * What one level says of one point (direction, family, peer, service), and which filter says so:
 *
 * - `deny`: a deny filter matches. Attributed to the one with the lowest id.
 * - `allow`: no deny matches, an ordinary allow does: connections pass, and packets that are only one way.
 * - `oneway`: no deny and no ordinary allow matches, a one-way allow does.
 * - outside every box nothing matches, and the level's `otherwise` decides.
 */
export type Verdict = 'deny' | 'allow' | 'oneway';

/** `twoway`: a connection, its replies included. `oneway`: packets of the starter's direction, without replies. */
export type TrafficClass = 'twoway' | 'oneway';

export interface Box {
  readonly direction: Direction;
  readonly family: Family;
  /** Peer addresses, inclusive. */
  readonly lo: bigint;
  readonly hi: bigint;
  /** On the service axis; `serviceBlocks` of protocols.ts cuts it into protocols × ports. */
  readonly services: ServiceRange;
  readonly verdict: Verdict;
  /** The id of the filter that decides. */
  readonly filter: number;
}

/** One level, compiled: disjoint boxes. */
export interface LevelBoxes {
  readonly otherwise: Otherwise;
  readonly onRefuse: OnRefuse;
  readonly boxes: readonly Box[];
}

/** What changed when a filter was added or removed. Every removed box was given out before, with the same values. */
export interface BoxChange {
  readonly removed: readonly Box[];
  readonly added: readonly Box[];
}

/** Does a level pass traffic of this class where it says `verdict`? (undefined: no box.) The one place that says so. */
export function passes(verdict: Verdict | undefined, traffic: TrafficClass, otherwise: Otherwise): boolean {
  switch (verdict) {
    case 'deny':
      return false;
    case 'allow':
      return true;
    case 'oneway':
      return traffic === 'oneway' || otherwise === 'inherit';
    case undefined:
      return otherwise === 'inherit';
  }
}
