import type { Canary } from '../../ports/firewall.js';
import { formatAddress, parseAddress } from '../address.js';
import type { LevelBoxes } from '../boxes.js';
import { Judge } from '../explain/judge.js';
import type { Family } from '../model.js';
import { isGroup } from '../normalise.js';
import { hasPorts, icmp, icmpv6, serviceAt, servicePoint, tcp, udp } from '../protocols.js';

/** Addresses kept for documentation, and the port that discards: if one of these gets out, it harms nobody. */
const harmless = ['192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1', '2001:db8:ffff::1'];
const discard = 9;
const canaries_max = 32;

const protocolsOf: Readonly<Record<Family, readonly number[]>> = {
  4: [udp, tcp, icmp],
  6: [udp, tcp, icmpv6],
};

interface Point {
  readonly family: Family;
  readonly value: bigint;
  readonly protocol: number;
  readonly port: number;
}

/** Packets that these levels refuse on the way out; some are what a deny names, if it names UDP, TCP or ICMP. */
export function canaries(
  levels: readonly LevelBoxes[],
  has: { readonly address4: boolean; readonly address6: boolean },
): readonly Canary[] {
  const judge = new Judge(levels);
  const points: Point[] = harmless.flatMap((text) => {
    const address = parseAddress(text);
    if (address === undefined) return [];
    return protocolsOf[address.family].map((protocol) => ({
      ...address,
      protocol,
      port: hasPorts(protocol) ? discard : 0,
    }));
  });
  for (const { boxes } of levels)
    for (const box of boxes) {
      if (points.length >= canaries_max) break;
      const { protocol, port } = serviceAt(box.services.lo);
      if (box.verdict !== 'deny' || box.direction !== 'out' || isGroup(box.family, box.lo)) continue;
      if (port === 0 || !protocolsOf[box.family].includes(protocol)) continue;
      points.push({ family: box.family, value: box.lo, protocol, port: port ?? 0 });
    }
  return points
    .filter(({ family }) => (family === 4 ? has.address4 : has.address6))
    .filter(({ family, value, protocol, port }) => {
      const point = judge.at('out', family, value, servicePoint(protocol, port));
      return !point.oneway.passes && !point.twoway.passes;
    })
    .map(({ value, ...rest }) => ({ ...rest, address: formatAddress(rest.family, value) }));
}
