import * as fc from 'fast-check';
import type { Verdict } from '../../../../bmonitor/filters/boxes.js';
import {
  directions,
  families,
  type Direction,
  type Family,
  type Filter,
  type FilterSet,
  type Names,
  type NormalSet,
} from '../../../../bmonitor/filters/model.js';
import { normaliseSet } from '../../../../bmonitor/filters/normalise.js';
import { parseFilterSet } from '../../../../bmonitor/filters/parse.js';

/**
 * Random filter sets, and an oracle that judges one point by reading the filters as their text says it: no ranges, no
 * trees, no axis. The worlds are small so that filters meet.
 */
const addresses4 = [
  '10.0.0.0',
  '10.0.0.1',
  '10.0.0.2',
  '10.0.0.3',
  '10.0.0.4',
  '10.0.0.5',
  '10.0.0.6',
  '10.0.0.7',
];
const addresses6 = addresses4.map((_, index) => `2001:db8::fffe:${index.toString(16)}`);
export const world = {
  4: [...addresses4, '9.255.255.255', '224.0.0.5'],
  6: [...addresses6, 'ff02::5'],
} as const;

/** Places that no filter of this world names by themselves. */
const others = { 4: ['192.0.2.1', '224.0.0.9'], 6: ['2001:db8:1::1', 'ff02::9'] } as const;

const nat = (max: number): fc.Arbitrary<number> => fc.nat({ max });
const range4 = fc.tuple(nat(7), nat(7)).map(([a, b]) => `10.0.0.${Math.min(a, b)}-10.0.0.${Math.max(a, b)}`);
const range6 = fc
  .tuple(nat(7), nat(7))
  .map(([a, b]) => `2001:db8::fffe:${Math.min(a, b)}-2001:db8::fffe:${Math.max(a, b)}`);
const prefix4 = fc.constantFrom('10.0.0.0/29', '10.0.0.4/30', '10.0.0.2/31', '0.0.0.0/0', '224.0.0.0/8');
const prefix6 = fc.constantFrom('2001:db8::fffe:0/125', '2001:db8::fffe:2/127', '::/0', 'ff00::/8');
const single = fc.constantFrom(...world[4], ...world[6]);
const peer = fc.oneof(single, range4, range6, prefix4, prefix6);
const port = fc.oneof(
  nat(7),
  fc.constant(65_535),
  fc.tuple(nat(7), nat(7)).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
  fc.constant('0-65535'),
);

const traffic: fc.Arbitrary<Partial<Filter>> = fc.oneof(
  fc.constant({}),
  fc.record({ protocol: fc.constantFrom('any', 'tcp', 'udp', 'icmp', 'icmpv6', 'gre', 1, 6, 0, 255) }),
  fc.record({
    protocol: fc.constantFrom('tcp', 'udp', 17),
    ports: fc.array(port, { minLength: 1, maxLength: 3 }),
  }),
);

export const filterArbitrary: fc.Arbitrary<Filter> = fc
  .record(
    {
      action: fc.constantFrom('allow' as const, 'deny' as const),
      direction: fc.constantFrom('in' as const, 'out' as const, 'both' as const),
      peers: fc.array(peer, { minLength: 1, maxLength: 3 }),
      traffic,
      oneway: fc.boolean(),
    },
    { requiredKeys: ['action', 'traffic'] },
  )
  .map(({ traffic: what, oneway, ...rest }) => ({
    ...rest,
    ...what,
    ...(oneway === undefined || rest.action === 'deny' ? {} : { oneway }),
  }));

export function setArbitrary(maxLength: number): fc.Arbitrary<FilterSet> {
  return fc.record({
    otherwise: fc.constantFrom('deny' as const, 'inherit' as const),
    filters: fc.array(filterArbitrary, { maxLength }),
  });
}

/** Through the parser, so that what it accepts is what is tested. */
export function normal(set: FilterSet, names?: Names): NormalSet {
  const parsed = parseFilterSet(JSON.parse(JSON.stringify(set)));
  if (!parsed.ok) throw new Error(`${parsed.refusal.where}: ${parsed.refusal.detail}`);
  const result = normaliseSet(parsed.value, names);
  if (!result.ok) throw new Error(`${result.refusal.where}: ${result.refusal.detail}`);
  return result.value;
}

export interface Point {
  readonly direction: Direction;
  readonly family: Family;
  readonly peer: string;
  readonly protocol: number;
  readonly port: number;
}

const interestingPorts = [0, 1, 2, 3, 4, 5, 6, 7, 8, 65_535];
const ported = new Set([6, 17, 33, 132, 136]);

/** Every point at which two sets of this world could differ, as far as filters of it can tell points apart. */
export function* points(): Generator<Point> {
  for (const direction of directions)
    for (const family of families)
      for (const peer of [...world[family], ...others[family]])
        for (const protocol of [0, 1, 6, 17, 47, 58, 132, 255])
          for (const port of ported.has(protocol) ? interestingPorts : [0])
            yield { direction, family, peer, protocol, port };
}

/** An address as a number, by a way of its own: fully written groups of the addresses of this world. */
export function numberOf(address: string): bigint {
  if (!address.includes(':')) return address.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  const [head = '', tail = ''] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === '' ? [] : tail.split(':');
  const middle = Array.from({ length: 8 - left.length - right.length }, () => '0');
  const groups = address.includes('::') ? [...left, ...middle, ...right] : left;
  return groups.reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n);
}

function peerMatches(entry: string, filter: Filter, point: Point): boolean {
  const family = entry.includes(':') ? 6 : 4;
  if (family !== point.family) return false;
  const value = numberOf(point.peer);
  const group = family === 4 ? value >> 28n === 14n || value === 0xffff_ffffn : value >> 120n === 0xffn;
  const [base = '', length] = entry.split('/');
  if (length === '0' && filter.action === 'allow' && group) return false;
  if (length !== undefined) {
    const rest = BigInt((family === 4 ? 32 : 128) - Number(length));
    return value >> rest === numberOf(base) >> rest;
  }
  const [lo = '', hi = lo] = entry.split('-');
  return value >= numberOf(lo) && value <= numberOf(hi);
}

/** As IANA has them: every name in which a set may be spelled. */
const numbers: Readonly<Record<string, number>> = {
  igmp: 2,
  ipip: 4,
  tcp: 6,
  udp: 17,
  dccp: 33,
  ipv6: 41,
  rsvp: 46,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  eigrp: 88,
  ospf: 89,
  pim: 103,
  vrrp: 112,
  l2tp: 115,
  sctp: 132,
  udplite: 136,
};

function protocolMatches(filter: Filter, point: Point): boolean {
  if (filter.protocol === undefined || filter.protocol === 'any') return true;
  if (filter.protocol === 'icmp') return point.protocol === (point.family === 4 ? 1 : 58);
  const wanted = typeof filter.protocol === 'number' ? filter.protocol : numbers[filter.protocol];
  if (wanted === undefined) throw new Error(`the oracle does not know ${filter.protocol}`);
  if (wanted !== point.protocol) return false;
  if (filter.ports === undefined) return true;
  return filter.ports.some((entry) => {
    const [lo, hi = lo] = String(entry).split('-').map(Number);
    return lo !== undefined && hi !== undefined && point.port >= lo && point.port <= hi;
  });
}

export function matches(filter: Filter, point: Point): boolean {
  const direction = filter.direction ?? 'both';
  if (direction !== 'both' && direction !== point.direction) return false;
  const peers = filter.peers ?? ['0.0.0.0/0', '::/0'];
  return peers.some((entry) => peerMatches(entry, filter, point)) && protocolMatches(filter, point);
}

/** What the set says of the point, and the filter that decides: straight from README.md. */
export function judge(set: FilterSet, point: Point): { verdict: Verdict; filter: number } | undefined {
  const found = (wanted: (filter: Filter) => boolean): number =>
    set.filters.findIndex((filter) => wanted(filter) && matches(filter, point));
  const deny = found((filter) => filter.action === 'deny');
  if (deny >= 0) return { verdict: 'deny', filter: deny };
  const allow = found((filter) => filter.action === 'allow' && filter.oneway !== true);
  if (allow >= 0) return { verdict: 'allow', filter: allow };
  const oneway = found((filter) => filter.action === 'allow');
  return oneway >= 0 ? { verdict: 'oneway', filter: oneway } : undefined;
}
