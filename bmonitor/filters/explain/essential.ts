import { icmpv6, udp } from '../protocols.js';
import type { Packet, Transport } from './decode.js';

const solicitation: ReadonlySet<number> = new Set([133, 134, 135, 136]);
const listener: ReadonlySet<number> = new Set([130, 131, 132, 143]);

/** What a node must hear and say to be on a network at all is settled before all levels, and no filter can change it. */
export function essential(packet: Packet, transport: Transport): string | undefined {
  if (packet.family === 6 && packet.protocol === icmpv6 && transport.kind === 'icmp') {
    if (solicitation.has(transport.type) && packet.hopLimit === 255 && transport.code === 0)
      return 'neighbour discovery is settled before all levels';
    if (listener.has(transport.type) && packet.hopLimit === 1)
      return 'multicast listener discovery is settled before all levels';
  }
  if (packet.family === 4 && packet.protocol === udp && transport.kind === 'ports') {
    const { source, destination } = transport;
    if ((source === 67 && destination === 68) || (source === 68 && destination === 67))
      return 'DHCP is settled before all levels: it passes where the node gets its address by it';
  }
  return undefined;
}

/** Of a neighbour advertisement, where the address stands that it says something of. */
export function claimedAt(packet: Packet, transport: Transport): number | undefined {
  const at = packet.payloadAt + 8;
  const isOne = packet.family === 6 && packet.protocol === icmpv6 && transport.kind === 'icmp';
  return isOne && transport.type === 136 && packet.bytes.length >= at + 16 ? at : undefined;
}

/** A request of ICMP and the type of its reply: what connection tracking takes for the start of a flow. */
const replies: Readonly<Record<4 | 6, ReadonlyMap<number, number>>> = {
  4: new Map([
    [8, 0],
    [13, 14],
    [15, 16],
    [17, 18],
  ]),
  6: new Map([
    [128, 129],
    [139, 140],
  ]),
};

const requests: Readonly<Record<4 | 6, ReadonlyMap<number, number>>> = {
  4: new Map([...replies[4]].map(([request, reply]) => [reply, request])),
  6: new Map([...replies[6]].map(([request, reply]) => [reply, request])),
};

export function icmpReplyOf(family: 4 | 6, type: number): number | undefined {
  return replies[family].get(type);
}

export function icmpRequestOf(family: 4 | 6, type: number): number | undefined {
  return requests[family].get(type);
}

const errors: Readonly<Record<4 | 6, ReadonlySet<number>>> = {
  4: new Set([3, 4, 5, 11, 12]),
  6: new Set([1, 2, 3, 4]),
};

export function isIcmpError(packet: Packet, transport: Transport): boolean {
  return transport.kind === 'icmp' && errors[packet.family].has(transport.type);
}
