import { formatAddress } from './address.js';
import { passes, type TrafficClass, type Verdict } from './boxes.js';
import {
  directions,
  families,
  type Direction,
  type Family,
  type NormalFilter,
  type NormalSet,
} from './model.js';
import { isGroup } from './normalise.js';
import {
  hasPorts,
  icmp,
  icmpv6,
  port_max,
  protocolName,
  protocolServices,
  serviceAt,
  tcp,
  udp,
} from './protocols.js';
import { findOutside, roles, Shapes, type Cell, type Role } from './sweep.js';

/**
 * The proof that a lower level's filters let through nothing that those above do not. Exact: if they do not fit, there
 * is a packet that shows it.
 */
export interface Witness {
  readonly direction: Direction;
  readonly peer: string;
  readonly protocol: string | number;
  /** null where the protocol has no ports. */
  readonly port: number | null;
  readonly oneway: boolean;
}

export interface Exceeds {
  readonly within: false;
  readonly witness: Witness;
  /** The ids of the inner filters that allow the witness. */
  readonly inner: readonly number[];
  /** Which of the outer sets refuses it, counted from the top. */
  readonly level: number;
  /** The ids of that level's filters that deny it; none if it merely allows nothing of the kind. */
  readonly outer: readonly number[];
}

export type Proof = { readonly within: true } | Exceeds;

/** One point of traffic, as numbers. */
export interface Point {
  readonly direction: Direction;
  readonly family: Family;
  readonly peer: bigint;
  readonly service: number;
}

/** `outers` from the top. What is within each of them is within what they let through together. */
export function prove(inner: NormalSet, outers: readonly NormalSet[]): Proof {
  for (const [level, outer] of outers.entries())
    for (const traffic of ['twoway', 'oneway'] as const) {
      // What ordinary allows let through one way lies within, if it does two ways: only one-way allows are left to look at.
      const allows = inner.filters.filter(
        (filter) => filter.action === 'allow' && filter.oneway === (traffic === 'oneway'),
      );
      if (allows.length === 0) continue;
      const found = outside({ allows, inner, outer, traffic });
      if (found !== undefined) return exceeds(found, traffic, { inner, outer, level });
    }
  return { within: true };
}

interface Question {
  readonly allows: readonly NormalFilter[];
  readonly inner: NormalSet;
  readonly outer: NormalSet;
  readonly traffic: TrafficClass;
}

function outside(question: Question): Point | undefined {
  const { allows, inner, outer, traffic } = question;
  const parts: Parts = [
    [roles.innerAllow, allows],
    [roles.innerDeny, inner.filters.filter((filter) => filter.action === 'deny')],
    [
      roles.outerAllow,
      outer.filters.filter((filter) => filter.action === 'allow' && (traffic === 'oneway' || !filter.oneway)),
    ],
    [roles.outerDeny, outer.filters.filter((filter) => filter.action === 'deny')],
  ];
  // Where no filter tells the directions apart, what holds for one holds for the other.
  const alike = parts.every(([, filters]) => filters.every((filter) => filter.directions.length === 2));
  for (const direction of alike ? (['in'] as const) : directions)
    for (const family of families) {
      const count = capacity(parts, direction, family);
      if (count === 0) continue;
      const shapes = new Shapes(family, count);
      for (const [role, filters] of parts) {
        collect(shapes, role, filters, direction);
        if (shapes.count === 0) break;
      }
      const cell = shapes.count === 0 ? undefined : findOutside(shapes, outer.otherwise === 'inherit');
      if (cell !== undefined) return { direction, family, ...representative(cell, family) };
    }
  return undefined;
}

type Parts = readonly (readonly [Role, readonly NormalFilter[]])[];

/** How many rectangles there are: none, where the inner filters allow nothing of the kind. */
function capacity(parts: Parts, direction: Direction, family: Family): number {
  let count = 0;
  for (const [, filters] of parts) {
    for (const filter of filters) {
      if (!filter.directions.includes(direction)) continue;
      for (const peer of filter.peers) if (peer.family === family) count += filter.services[family].length;
    }
    if (count === 0) break;
  }
  return count;
}

function collect(shapes: Shapes, role: Role, filters: readonly NormalFilter[], direction: Direction): void {
  for (const filter of filters) {
    if (!filter.directions.includes(direction)) continue;
    for (const peer of filter.peers)
      if (peer.family === shapes.family) shapes.add(role, peer, filter.services[shapes.family]);
  }
}

/** All points of a cell are judged alike, so the witness may be the one that a person finds least odd. */
function representative(cell: Cell, family: Family): { peer: bigint; service: number } {
  return { peer: likelyPeer(cell.x1, cell.x2, family), service: likelyService(cell, family) };
}

/** A host's address rather than a network's, the unspecified one or a group. */
function likelyPeer(lo: bigint, hi: bigint, family: Family): bigint {
  const documentation = family === 4 ? 0xc000_0201n : (0x2001_0db8n << 96n) + 1n;
  if (lo === 0n && documentation <= hi) return documentation;
  const second = lo + 1n;
  return second <= hi && lo % 16n === 0n && !isGroup(family, second) ? second : lo;
}

function likelyService(cell: Cell, family: Family): number {
  const within = (lo: number, hi: number): number | undefined => {
    const first = Math.max(lo, cell.y1);
    return first <= Math.min(hi, cell.y2) ? first : undefined;
  };
  for (const protocol of [tcp, udp]) {
    const { lo } = protocolServices(protocol);
    const found = within(lo + 1, lo + port_max);
    if (found !== undefined) return found;
  }
  const { lo, hi } = protocolServices(family === 4 ? icmp : icmpv6);
  return within(lo, hi) ?? cell.y1;
}

/** Do the filter's directions, peers and services hold this point? */
export function holds(filter: NormalFilter, point: Point): boolean {
  return (
    filter.directions.includes(point.direction) &&
    filter.peers.some(
      (peer) => peer.family === point.family && peer.lo <= point.peer && peer.hi >= point.peer,
    ) &&
    filter.services[point.family].some((range) => range.lo <= point.service && range.hi >= point.service)
  );
}

/** What a set says of one point, by looking at every filter. compile.ts says the same of all points at once. */
export function judge(set: NormalSet, point: Point): { verdict: Verdict; filter: number } | undefined {
  let best: { verdict: Verdict; filter: number } | undefined;
  const order = { deny: 0, allow: 1, oneway: 2 } as const;
  for (const filter of set.filters) {
    const verdict: Verdict = filter.action === 'deny' ? 'deny' : filter.oneway ? 'oneway' : 'allow';
    if (best !== undefined && order[best.verdict] < order[verdict]) continue;
    if (best?.verdict === verdict && best.filter < filter.id) continue;
    if (holds(filter, point)) best = { verdict, filter: filter.id };
  }
  return best;
}

export function letsThrough(set: NormalSet, point: Point, traffic: TrafficClass): boolean {
  return passes(judge(set, point)?.verdict, traffic, set.otherwise);
}

export function witnessOf(point: Point, traffic: TrafficClass): Witness {
  const { protocol, port } = serviceAt(point.service);
  return {
    direction: point.direction,
    peer: formatAddress(point.family, point.peer),
    protocol: protocolWord(protocol, point.family),
    port: hasPorts(protocol) ? port : null,
    oneway: traffic === 'oneway',
  };
}

/** `icmp` is the word for both families, so the one's number in the other has no word. */
function protocolWord(protocol: number, family: Family): string | number {
  if (protocol !== icmp && protocol !== icmpv6) return protocolName(protocol);
  return protocol === (family === 4 ? icmp : icmpv6) ? 'icmp' : protocol;
}

function exceeds(
  point: Point,
  traffic: TrafficClass,
  sets: { readonly inner: NormalSet; readonly outer: NormalSet; readonly level: number },
): Exceeds {
  const held = (set: NormalSet, wanted: (filter: NormalFilter) => boolean): readonly number[] =>
    set.filters.filter((filter) => wanted(filter) && holds(filter, point)).map((filter) => filter.id);
  return {
    within: false,
    witness: witnessOf(point, traffic),
    inner: held(
      sets.inner,
      (filter) => filter.action === 'allow' && (traffic === 'oneway' || !filter.oneway),
    ),
    level: sets.level,
    outer: held(sets.outer, (filter) => filter.action === 'deny'),
  };
}
