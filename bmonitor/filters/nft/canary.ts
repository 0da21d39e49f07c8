import type { Canary } from '../../ports/firewall.js';
import { formatAddress, parseAddress } from '../address.js';
import type { LevelBoxes } from '../boxes.js';
import { Judge } from '../explain/judge.js';
import { isGroup } from '../normalise.js';
import { serviceAt, servicePoint, udp } from '../protocols.js';

/** Addresses kept for documentation, and the port that discards: if one of these gets out, it harms nobody. */
const harmless = ['192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1'];
const discard = 9;
const canaries_max = 16;

/** Datagrams that these levels refuse on the way out; some are what a deny names, if it names UDP. */
export function canaries(
  levels: readonly LevelBoxes[],
  has: { readonly address4: boolean; readonly address6: boolean },
): readonly Canary[] {
  const judge = new Judge(levels);
  const points = harmless.flatMap((text) => {
    const address = parseAddress(text);
    return address === undefined ? [] : [{ ...address, port: discard }];
  });
  for (const { boxes } of levels)
    for (const box of boxes) {
      if (points.length >= canaries_max) break;
      const { protocol, port } = serviceAt(box.services.lo);
      if (box.verdict !== 'deny' || box.direction !== 'out' || isGroup(box.family, box.lo)) continue;
      if (protocol === udp && port !== null && port > 0)
        points.push({ family: box.family, value: box.lo, port });
    }
  return points
    .filter(({ family }) => (family === 4 ? has.address4 : has.address6))
    .filter(({ family, value, port }) => {
      const point = judge.at('out', family, value, servicePoint(udp, port));
      return !point.oneway.passes && !point.twoway.passes;
    })
    .map(({ family, value, port }) => ({ address: formatAddress(family, value), port }));
}
