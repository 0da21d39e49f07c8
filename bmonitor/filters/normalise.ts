import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Refused, type Result } from '../../protocol/result.js';
import { addressMax, parseAddress, readRange } from './address.js';
import {
  directions,
  families,
  type Family,
  type Filter,
  type FilterSet,
  type Names,
  type NormalFilter,
  type NormalSet,
  type PeerRange,
  type ServiceRange,
} from './model.js';
import { anyService, protocolNumber, protocolServices, servicePoint } from './protocols.js';
import { services as wellKnown } from './services.js';

/** From words to numbers: names are looked up, shorthands spelled out, lists sorted and merged. */

function number(text: string): bigint {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  return address.value;
}

/** Multicast; and 255.255.255.255, which is treated like it. */
const multicast = {
  4: { lo: number('224.0.0.0'), hi: number('239.255.255.255') },
  6: { lo: number('ff00::'), hi: addressMax[6] },
} as const;

export function isGroup(family: Family, address: bigint): boolean {
  const { lo, hi } = multicast[family];
  return (address >= lo && address <= hi) || (family === 4 && address === addressMax[4]);
}

const anyPeer: readonly PeerRange[] = families.map((family) => ({ family, lo: 0n, hi: addressMax[family] }));

/**
 * Multicast and broadcast pass only where a filter names them. A range that swallows the whole multicast block and more
 * (`0.0.0.0/0`, any peer) names nobody in particular, so an allow filter gets it without the groups.
 */
function withoutUnnamedGroups(range: PeerRange): readonly PeerRange[] {
  const { lo, hi } = multicast[range.family];
  const swallows = range.lo <= lo && range.hi >= hi && (range.lo < lo || range.hi > hi);
  if (!swallows) return [range];
  const broadcast = range.family === 4 && range.hi === addressMax[4];
  return [
    { ...range, hi: lo - 1n },
    { ...range, lo: hi + 1n, hi: broadcast ? range.hi - 1n : range.hi },
  ].filter((piece) => piece.lo <= piece.hi);
}

/** The way back: the same addresses as ranges of which none is reduced when it is read again. */
export function namingGroups(range: PeerRange): readonly PeerRange[] {
  const rest = withoutUnnamedGroups(range);
  if (rest.length === 1 && rest[0] === range) return [range];
  const { lo, hi } = multicast[range.family];
  const broadcast = range.family === 4 && range.hi === addressMax[4];
  return [...rest, { family: range.family, lo, hi }, ...(broadcast ? [{ ...range, lo: addressMax[4] }] : [])];
}

/** What an allow filter without peers means. */
export const anyAllowedPeers: readonly PeerRange[] = anyPeer.flatMap(withoutUnnamedGroups);

function compare(a: bigint | number, b: bigint | number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function mergePeers(ranges: readonly PeerRange[]): readonly PeerRange[] {
  if (ranges.length < 2) return ranges;
  const sorted = [...ranges].sort((a, b) => a.family - b.family || compare(a.lo, b.lo));
  const merged: PeerRange[] = [];
  for (const range of sorted) {
    const last = merged.at(-1);
    if (last === undefined || last.family !== range.family || range.lo > last.hi + 1n) merged.push(range);
    else if (range.hi > last.hi) merged[merged.length - 1] = { ...last, hi: range.hi };
  }
  return merged;
}

export function mergeServices(ranges: readonly ServiceRange[]): readonly ServiceRange[] {
  if (ranges.length < 2) return ranges;
  const merged: ServiceRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.lo - b.lo)) {
    const last = merged.at(-1);
    if (last === undefined || range.lo > last.hi + 1) merged.push(range);
    else if (range.hi > last.hi) merged[merged.length - 1] = { lo: last.lo, hi: range.hi };
  }
  return merged;
}

function peersOf(filter: Filter, names: Names, where: string): Result<readonly PeerRange[]> {
  const ranges: PeerRange[] = [];
  for (const [index, peer] of (filter.peers ?? []).entries()) {
    const reading = readRange(peer);
    if (reading.kind === 'range') {
      ranges.push(reading.range);
      continue;
    }
    const addresses = names.get(peer);
    if (addresses === undefined)
      return refuse('bad-input', `no address is known for the name ${peer}`, {
        where: `${where}.peers[${index}]`,
      });
    for (const address of addresses) {
      const resolved = readRange(address);
      if (resolved.kind === 'range') ranges.push(resolved.range);
    }
  }
  const all = filter.peers === undefined ? anyPeer : ranges;
  return ok(mergePeers(filter.action === 'allow' ? all.flatMap(withoutUnnamedGroups) : all));
}

function portServices(protocol: number, ports: readonly (number | string)[]): readonly ServiceRange[] {
  return ports.map((port) => {
    const [lo, hi = lo] = typeof port === 'number' ? [port] : port.split('-').map(Number);
    if (lo === undefined || hi === undefined) throw new Error('a port that was not parsed');
    return { lo: servicePoint(protocol, lo), hi: servicePoint(protocol, hi) };
  });
}

function servicesOf(filter: Filter, family: Family): readonly ServiceRange[] {
  if (filter.service !== undefined) {
    const entries = wellKnown.get(filter.service) ?? [];
    return entries.flatMap((entry) =>
      portServices(
        protocolNumber(entry.protocol, family) ?? 0,
        entry.ports.map(([lo, hi]) => `${lo}-${hi}`),
      ),
    );
  }
  if (filter.protocol === undefined || filter.protocol === 'any') return [anyService];
  const protocol = protocolNumber(filter.protocol, family);
  if (protocol === undefined) throw new Error('a protocol that was not parsed');
  return filter.ports === undefined ? [protocolServices(protocol)] : portServices(protocol, filter.ports);
}

export function normaliseFilter(
  filter: Filter,
  names: Names,
  options: { readonly id: number; readonly where: string },
): Result<NormalFilter> {
  const peers = peersOf(filter, names, options.where);
  if (!peers.ok) return peers;
  return ok({
    id: options.id,
    action: filter.action,
    directions:
      filter.direction === undefined || filter.direction === 'both' ? directions : [filter.direction],
    oneway: filter.oneway === true,
    peers: peers.value,
    services: { 4: mergeServices(servicesOf(filter, 4)), 6: mergeServices(servicesOf(filter, 6)) },
  });
}

export const noNames: Names = new Map();

/** Filters get their index as id, and `where` is the place of the set, as in parse.ts. */
export function normaliseSet(set: FilterSet, names: Names = noNames, where = ''): Result<NormalSet> {
  const filters: NormalFilter[] = [];
  let rectangles = 0;
  for (const [index, filter] of set.filters.entries()) {
    const place = `${where === '' ? '' : `${where}.`}filters[${index}]`;
    const normal = normaliseFilter(filter, names, { id: index, where: place });
    if (!normal.ok) return normal;
    rectangles += rectangleCount(normal.value);
    if (rectangles > limits.filter_rectangles_per_set_max) return tooMany(place);
    filters.push(normal.value);
  }
  return ok({ otherwise: set.otherwise, onRefuse: set.onRefuse ?? 'drop', filters });
}

/** Peers times services: what a filter costs in memory. */
export function rectangleCount({ peers, services }: NormalFilter): number {
  return peers.length * Math.max(1, services[4].length);
}

function tooMany(where: string): Refused {
  return refuse(
    'too-large',
    `peers times ports come to more than ${limits.filter_rectangles_per_set_max} in this set`,
    { where },
  );
}
