import { addressBits, addressMax } from '../address.js';
import type { Box } from '../boxes.js';
import type { Direction, Family, PeerRange } from '../model.js';
import { hasPorts, port_max, protocol_max, serviceBlocks, type ServiceBlock } from '../protocols.js';

/**
 * Hashes for what is not exact. A map of ranges costs a packet more the more it holds, and a millisecond for each element
 * that leaves it; a hash costs the same at any size. A hash finds `10.1.2.0/24 . tcp . 8000-8063` too when the packet's
 * address and port are masked first, so there is one hash for each pair of lengths that many boxes of a level share.
 * The kind `p24_10` looks at 24 bits of the peer and 10 of the port; `p24_none` is for protocols without ports, `p24_any`
 * for whatever comes from the peer. Boxes that would be many prefixes, or of lengths that few share, stay in the map of ranges.
 */
export type PrefixKind = `p${number}_${number | 'none' | 'any'}`;

export interface PrefixKey {
  readonly kind: PrefixKind;
  /** The first address of the prefix; what follows it in the key is in `service`. */
  readonly address: bigint;
  readonly service: string;
}

/** A rule for each of them is looked at by the first packet of a flow. */
const kinds_max = 12;
/** With fewer boxes than this a map of ranges costs no more than one hash more. */
const boxesPerKind_min = 32;
const peerPrefixes_max = 4;
/** Up to how many boxes a map of ranges is filled faster than a hash that takes many keys for each of them. */
const manyBoxes = 20_000;
const keysPerBlock_max = { few: 8, many: 16 } as const;

interface Prefix<T> {
  readonly at: T;
  readonly length: number;
}

/** As plain numbers where they fit: a set has many thousands, and nearly all are one prefix. */
function peerPrefixes({ family, lo, hi }: PeerRange): readonly Prefix<bigint>[] | undefined {
  const bits = addressBits[family];
  if (lo === hi) return [{ at: lo, length: bits }];
  if (family === 4) {
    const size = Number(hi - lo) + 1;
    const length = 32 - Math.log2(size);
    if (Number.isInteger(length) && Number(lo) % size === 0) return [{ at: lo, length }];
  }
  const whole = addressMax[family] + 1n;
  const prefixes: Prefix<bigint>[] = [];
  for (let at = lo; at <= hi;) {
    let size = at === 0n ? whole : at & -at;
    while (at + size - 1n > hi) size >>= 1n;
    prefixes.push({ at, length: bits - (size.toString(2).length - 1) });
    if (prefixes.length > peerPrefixes_max) return undefined;
    at += size;
  }
  return prefixes;
}

/** At least one bit is looked at, so that a packet too short to have a port is never found. */
function portPrefixes({ lo, hi }: ServiceBlock['ports']): readonly Prefix<number>[] {
  const prefixes: Prefix<number>[] = [];
  for (let at = lo; at <= hi;) {
    let size = at === 0 ? (port_max + 1) / 2 : Math.min(at & -at, (port_max + 1) / 2);
    while (at + size - 1 > hi) size /= 2;
    prefixes.push({ at, length: 16 - Math.log2(size) });
    at += size;
  }
  return prefixes;
}

function serviceParts({
  protocols,
  ports,
}: ServiceBlock): readonly (readonly [string, string])[] | undefined {
  if (protocols.lo === 0 && protocols.hi === protocol_max) return [['any', '']];
  if (protocols.lo !== protocols.hi) return undefined;
  if (!hasPorts(protocols.lo)) return [['none', ` . ${protocols.lo}`]];
  return portPrefixes(ports).map(({ at, length }) => [String(length), ` . ${protocols.lo} . ${at}`]);
}

/** A block as keys of prefixes; undefined where that would be too many. */
export function prefixKeys(
  box: Box,
  block: ServiceBlock,
  keys_max: number,
): readonly PrefixKey[] | undefined {
  const services = serviceParts(block);
  if (services === undefined || services.length > keys_max) return undefined;
  const peers = peerPrefixes(box);
  if (peers === undefined || peers.length * services.length > keys_max) return undefined;
  return peers.flatMap(({ at, length }) =>
    services.map(([word, service]) => ({ kind: `p${length}_${word}` as PrefixKind, address: at, service })),
  );
}

/** Which hashes a level has for one direction and family. */
export interface PrefixChoice {
  /** Those that find most come first. */
  readonly kinds: readonly PrefixKind[];
  readonly keys_max: number;
}

export type PlaneName = `${Direction}${Family}`;
export const planeOf = (box: Pick<Box, 'direction' | 'family'>): PlaneName => `${box.direction}${box.family}`;
export type PrefixChoices = ReadonlyMap<PlaneName, PrefixChoice>;

export const noPrefixes: PrefixChoice = { kinds: [], keys_max: 0 };
/** No choice makes more keys of a block than this. */
export const anyPrefixes_max = keysPerBlock_max.many;

const isExact = (box: Box, { protocols, ports }: ServiceBlock): boolean =>
  box.lo === box.hi && protocols.lo === protocols.hi && ports.lo === ports.hi && hasPorts(protocols.lo);

export function choosePrefixes(boxes: readonly Box[]): PrefixChoices {
  const planes = new Map<PlaneName, [Box, ServiceBlock][]>();
  for (const box of boxes)
    for (const block of serviceBlocks(box.services)) {
      if (isExact(box, block)) continue;
      const list = planes.get(planeOf(box)) ?? [];
      if (list.push([box, block]) === 1) planes.set(planeOf(box), list);
    }
  return new Map([...planes].map(([plane, blocks]) => [plane, chooseFor(blocks)] as const));
}

function chooseFor(blocks: readonly (readonly [Box, ServiceBlock])[]): PrefixChoice {
  const keys_max = blocks.length > manyBoxes ? keysPerBlock_max.many : keysPerBlock_max.few;
  // Blocks of the same kinds stand or fall together.
  const groups = new Map<string, { readonly kinds: ReadonlySet<PrefixKind>; count: number }>();
  for (const [box, block] of blocks) {
    const kinds = new Set(prefixKeys(box, block, keys_max)?.map(({ kind }) => kind));
    if (kinds.size === 0) continue;
    const name = [...kinds].join(' ');
    const group = groups.get(name) ?? { kinds, count: 0 };
    group.count++;
    groups.set(name, group);
  }
  const wanted = tally(groups.values());
  const chosen = new Set(
    ranked(wanted)
      .filter((kind) => (wanted.get(kind) ?? 0) >= boxesPerKind_min)
      .slice(0, kinds_max),
  );
  const whole = [...groups.values()].filter(({ kinds }) => [...kinds].every((kind) => chosen.has(kind)));
  return { kinds: ranked(tally(whole)), keys_max };
}

function tally(
  groups: Iterable<{ readonly kinds: ReadonlySet<PrefixKind>; readonly count: number }>,
): ReadonlyMap<PrefixKind, number> {
  const sums = new Map<PrefixKind, number>();
  for (const { kinds, count } of groups)
    for (const kind of kinds) sums.set(kind, (sums.get(kind) ?? 0) + count);
  return sums;
}

function ranked(sums: ReadonlyMap<PrefixKind, number>): readonly PrefixKind[] {
  return [...sums].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([kind]) => kind);
}

/** How many bits of the peer and of the port a hash looks at. */
export function lengthsOf(kind: PrefixKind): {
  readonly peer: number;
  readonly port: number | 'none' | 'any';
} {
  const [, peer = '', port = ''] = /^p(\d+)_(\w+)$/u.exec(kind) ?? [];
  return { peer: Number(peer), port: port === 'none' || port === 'any' ? port : Number(port) };
}
