import { formatRange } from './address.js';
import type { Direction, Family, PeerRange, ServiceRange } from './model.js';
import { namingGroups } from './normalise.js';
import { hasPorts, icmp, icmpv6, port_max, protocol_max, protocolName, serviceBlocks } from './protocols.js';
import type { Plane } from './region.js';
import type { Rect } from './rects.js';

/** From numbers back to words. */

/** A box of traffic for a person or a program to read. */
export interface SpelledBox {
  readonly direction: Direction;
  readonly oneway: boolean;
  readonly peers: string;
  /** A name, a number, a range of numbers (`"7-16"`) or `any`. */
  readonly protocol: string | number;
  /** `"80"`, `"8000-8100"`; null where the protocol has no ports or more than one protocol is meant. */
  readonly ports: string | null;
}

export function spellProtocol(protocol: number, family: Family): string | number {
  if (protocol === icmp || protocol === icmpv6)
    return protocol === (family === 4 ? icmp : icmpv6) ? 'icmp' : protocol;
  return protocolName(protocol);
}

export function spellPorts(lo: number, hi: number): string {
  return lo === hi ? `${lo}` : `${lo}-${hi}`;
}

export function peersOf(plane: Plane, rect: Rect): PeerRange {
  return { family: plane.family, lo: BigInt(rect.x1), hi: BigInt(rect.x2) };
}

export function spellBoxes(plane: Plane, rect: Rect, oneway: boolean): readonly SpelledBox[] {
  const peers = formatRange(peersOf(plane, rect));
  return serviceBlocks({ lo: rect.y1, hi: rect.y2 }).map(({ protocols, ports }) => {
    const one = protocols.lo === protocols.hi;
    const range = `${protocols.lo}-${protocols.hi}`;
    const many = protocols.lo === 0 && protocols.hi === protocol_max ? 'any' : range;
    return {
      direction: plane.direction,
      oneway,
      peers,
      protocol: one ? spellProtocol(protocols.lo, plane.family) : many,
      ports: one && hasPorts(protocols.lo) ? spellPorts(ports.lo, ports.hi) : null,
    };
  });
}

export function spelledService(box: SpelledBox): string {
  const { protocol } = box;
  const named = typeof protocol === 'string' && !/^\d/u.test(protocol);
  const what = named ? protocol : `protocol${typeof protocol === 'number' ? '' : 's'} ${protocol}`;
  return `${what}${box.ports === null ? '' : ` ${box.ports}`}${box.oneway ? ' (one way)' : ''}`;
}

export function spelledLine(box: SpelledBox): string {
  return `${box.direction} ${box.peers} ${spelledService(box)}`;
}

/** A piece of the service axis as the fields of a filter; ports absent where they are all meant. */
export interface SpelledService {
  readonly protocol: string | number;
  readonly ports: readonly (number | string)[] | undefined;
}

/** The services, one entry for each protocol. */
export function spellServices(ranges: readonly ServiceRange[], family: Family): readonly SpelledService[] {
  const byProtocol = new Map<number, (number | string)[] | undefined>();
  for (const { protocols, ports } of ranges.flatMap(serviceBlocks))
    for (let protocol = protocols.lo; protocol <= protocols.hi; protocol++) {
      const whole = !hasPorts(protocol) || (ports.lo === 0 && ports.hi === port_max);
      const list = byProtocol.get(protocol) ?? [];
      if (!whole) list.push(ports.lo === ports.hi ? ports.lo : spellPorts(ports.lo, ports.hi));
      byProtocol.set(protocol, whole ? undefined : list);
    }
  return [...byProtocol].map(([protocol, ports]) => ({ protocol: spellProtocol(protocol, family), ports }));
}

/** A range as entries that mean the same when they are read again: multicast inside a wider range must be named. */
export function spellPeers(range: PeerRange): readonly string[] {
  return namingGroups(range).map(formatRange);
}
