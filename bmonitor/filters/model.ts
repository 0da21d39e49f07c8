/**
 * The words of a filter set. `FilterSet` and `Filter` are what a person writes and what travels; `NormalSet` is the same
 * with every shorthand and name resolved to numbers, which is what the proof, the explainer and the compiler work on.
 * README.md beside this file says precisely what a set means.
 */
export type Action = 'allow' | 'deny';
/** Who starts: `in` the peer, `out` the node. */
export type Direction = 'in' | 'out';
export type Family = 4 | 6;
export type Otherwise = 'deny' | 'inherit';
export type OnRefuse = 'drop' | 'reject';

export const directions = ['in', 'out'] as const satisfies readonly Direction[];
export const families = [4, 6] as const satisfies readonly Family[];

export interface Filter {
  readonly action: Action;
  /** Absent: both. */
  readonly direction?: Direction | 'both';
  /** Addresses, prefixes, ranges and names. Absent: any peer, multicast and broadcast excepted where it allows. */
  readonly peers?: readonly string[];
  /** A name or a number. Absent or `any`: any protocol. */
  readonly protocol?: string | number;
  /** The service's side: numbers and `"low-high"`. Absent: any port. */
  readonly ports?: readonly (number | string)[];
  /** A shorthand for protocol and ports, instead of them. */
  readonly service?: string;
  /** Only in an allow filter: packets of this direction and no replies. */
  readonly oneway?: boolean;
  readonly note?: string;
}

export interface FilterSet {
  /** What happens where no filter matches. The landlord says `deny`; lower levels may leave it to those above. */
  readonly otherwise: Otherwise;
  readonly filters: readonly Filter[];
  /** Absent: drop. */
  readonly onRefuse?: OnRefuse;
}

/** What names stand for: `node:web-1` → its addresses. */
export type Names = ReadonlyMap<string, readonly string[]>;

/** Inclusive. Both families are held as bigint, so that one piece of code serves both. */
export interface PeerRange {
  readonly family: Family;
  readonly lo: bigint;
  readonly hi: bigint;
}

/** Inclusive, on the service axis of protocols.ts: every protocol and every port of those that have ports, in one line. */
export interface ServiceRange {
  readonly lo: number;
  readonly hi: number;
}

export interface NormalFilter {
  /** Names the filter in verdicts and counters. Its index in the set, unless the caller numbers filters otherwise. */
  readonly id: number;
  readonly action: Action;
  /** Before all denies of its level: the way that was restored for a console. */
  readonly first?: true;
  readonly directions: readonly Direction[];
  readonly oneway: boolean;
  /** Disjoint and ascending within a family. */
  readonly peers: readonly PeerRange[];
  /** Per family, because `icmp` is another protocol in each. Disjoint and ascending. */
  readonly services: Readonly<Record<Family, readonly ServiceRange[]>>;
}

export interface NormalSet {
  readonly otherwise: Otherwise;
  readonly onRefuse: OnRefuse;
  readonly filters: readonly NormalFilter[];
}
