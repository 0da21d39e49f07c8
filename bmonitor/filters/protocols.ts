import type { Family, ServiceRange } from './model.js';

/** Protocols by the names people use. Each may also be given by its number (IANA, 0-255). */
export const protocolNumbers: ReadonlyMap<string, number> = new Map([
  ['icmp', 1],
  ['igmp', 2],
  ['ipip', 4],
  ['tcp', 6],
  ['udp', 17],
  ['dccp', 33],
  ['ipv6', 41],
  ['rsvp', 46],
  ['gre', 47],
  ['esp', 50],
  ['ah', 51],
  ['icmpv6', 58],
  ['eigrp', 88],
  ['ospf', 89],
  ['pim', 103],
  ['vrrp', 112],
  ['l2tp', 115],
  ['sctp', 132],
  ['udplite', 136],
]);

const namesOfNumbers: ReadonlyMap<number, string> = new Map(
  [...protocolNumbers].map(([name, number]) => [number, name]),
);

export const icmp = 1;
export const icmpv6 = 58;
export const tcp = 6;
export const udp = 17;

export const protocol_max = 255;
export const port_max = 65_535;

/** tcp, udp, dccp, sctp, udplite: each has its destination port in the same place. */
export const protocolsWithPorts: readonly number[] = [6, 17, 33, 132, 136];
const withPorts = new Set(protocolsWithPorts);

export function hasPorts(protocol: number): boolean {
  return withPorts.has(protocol);
}

export function protocolName(protocol: number): string | number {
  return namesOfNumbers.get(protocol) ?? protocol;
}

/** `icmp` is ICMP for IPv4 and ICMPv6 for IPv6; every other name, and every number, is the same in both. */
export function protocolNumber(protocol: string | number, family: Family): number | undefined {
  if (typeof protocol === 'number') return protocol;
  if (protocol === 'icmp') return family === 4 ? icmp : icmpv6;
  return protocolNumbers.get(protocol);
}

/**
 * The service axis: the protocols 0 to 255 in order, each with one point, or with 65,536 if it has ports. Every filter is
 * then a list of rectangles, peers × services, whatever its protocol: `any` is the whole axis, `tcp 80` is one point.
 */
const starts: readonly number[] = (() => {
  const list: number[] = [];
  let next = 0;
  for (let protocol = 0; protocol <= protocol_max + 1; protocol++) {
    list.push(next);
    next += hasPorts(protocol) ? port_max + 1 : 1;
  }
  return list;
})();

function startOf(protocol: number): number {
  const start = starts[protocol];
  if (start === undefined) throw new RangeError(`no such protocol: ${protocol}`);
  return start;
}

export const service_max = startOf(protocol_max + 1) - 1;
export const anyService: ServiceRange = { lo: 0, hi: service_max };

/** The point of a packet; the port is ignored where the protocol has none. */
export function servicePoint(protocol: number, port: number): number {
  return startOf(protocol) + (hasPorts(protocol) ? port : 0);
}

export function protocolServices(protocol: number): ServiceRange {
  return { lo: startOf(protocol), hi: startOf(protocol + 1) - 1 };
}

export interface Service {
  readonly protocol: number;
  /** null where the protocol has no ports. */
  readonly port: number | null;
}

export function serviceAt(point: number): Service {
  let low = 0;
  let high = protocol_max;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (startOf(middle) <= point) low = middle;
    else high = middle - 1;
  }
  return { protocol: low, port: hasPorts(low) ? point - startOf(low) : null };
}

/** A piece of the axis as protocols × ports. Ports are 0-65535 where the protocols are taken whole. */
export interface ServiceBlock {
  readonly protocols: { readonly lo: number; readonly hi: number };
  readonly ports: { readonly lo: number; readonly hi: number };
}

const allPorts = { lo: 0, hi: port_max } as const;

/** Cuts a range of the axis into at most three blocks: part of a protocol, protocols taken whole, part of a protocol. */
export function serviceBlocks(range: ServiceRange): readonly ServiceBlock[] {
  const blocks: ServiceBlock[] = [];
  let first = serviceAt(range.lo).protocol;
  const last = serviceAt(range.hi).protocol;
  const part = (protocol: number): void => {
    const base = startOf(protocol);
    const lo = Math.max(range.lo, base) - base;
    const hi = Math.min(range.hi, startOf(protocol + 1) - 1) - base;
    blocks.push({ protocols: { lo: protocol, hi: protocol }, ports: { lo, hi } });
  };
  if (range.lo > startOf(first)) part(first++);
  const lastIsPart = range.hi < startOf(last + 1) - 1;
  const lastWhole = lastIsPart ? last - 1 : last;
  if (first <= lastWhole) blocks.push({ protocols: { lo: first, hi: lastWhole }, ports: allPorts });
  if (lastIsPart && first <= last) part(last);
  return blocks;
}

/** How many protocols these ranges touch. */
export function protocolsIn(ranges: readonly ServiceRange[]): number {
  const touched = new Set<number>();
  for (const { protocols } of ranges.flatMap(serviceBlocks))
    for (let protocol = protocols.lo; protocol <= protocols.hi; protocol++) touched.add(protocol);
  return touched.size;
}
