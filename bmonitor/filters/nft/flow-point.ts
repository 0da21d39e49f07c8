import type { CountedFlow } from '../../ports/firewall.js';
import { parseAddress } from '../address.js';
import type { Point } from '../prove.js';
import { hasPorts, servicePoint } from '../protocols.js';

/** An address in one spelling, so that two of them can be compared. */
export function addressValueOf(text: string): string {
  const address = parseAddress(text);
  return address ? `${address.family} ${address.value}` : '';
}

/** Where the filters look a flow up: who began it, its peer, and the service's side. Undefined: the node is at neither end, or at both. */
export function flowPoint(flow: CountedFlow, isOwn: (address: string) => boolean): Point | undefined {
  const out = isOwn(flow.source);
  if (out === isOwn(flow.destination)) return undefined;
  const peer = parseAddress(out ? flow.destination : flow.source);
  if (!peer) return undefined;
  const port = hasPorts(flow.protocol) ? flow.destinationPort : 0;
  return {
    direction: out ? 'out' : 'in',
    family: peer.family,
    peer: peer.value,
    service: servicePoint(flow.protocol, port),
  };
}
