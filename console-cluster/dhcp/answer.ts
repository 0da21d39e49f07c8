import {
  clientPort,
  encodeDhcp,
  everyAddress,
  noAddress,
  serverPort,
  type DhcpOptions,
  type DhcpPacket,
} from '../../protocol/dhcp/index.js';
import { macBroadcast, maskText, type Mac } from '../../protocol/ethernet/address.js';
import type { UdpFrame } from '../../protocol/ethernet/frame.js';
import type { Place } from './book.js';

export interface OwnAddress {
  readonly mac: Mac;
  readonly address: string;
}

export function answer(
  type: 'offer' | 'ack' | 'nak',
  question: DhcpPacket,
  server: string,
  place?: Place,
  message?: string,
): DhcpPacket {
  const asked = question.type === 'inform';
  return {
    type,
    xid: question.xid,
    secs: 0,
    broadcast: question.broadcast,
    ciaddr: type === 'ack' ? question.ciaddr : noAddress,
    yiaddr: place === undefined || asked ? noAddress : place.address,
    siaddr: noAddress,
    giaddr: question.giaddr,
    mac: question.mac,
    options: {
      server,
      ...(place === undefined ? {} : told(place, asked)),
      ...(message === undefined ? {} : { message }),
    },
  };
}

function told({ pool, machine }: Place, asked: boolean): DhcpOptions {
  const { routers, dns, domain, gateway, lease_s } = pool;
  return {
    subnetMask: maskText(pool.length),
    hostname: machine.node,
    ...(routers === undefined ? {} : { routers }),
    ...(dns === undefined ? {} : { dns }),
    ...(domain === undefined ? {} : { domain }),
    ...(gateway === undefined ? {} : { gateway }),
    // RFC 2131, 4.3.5: no times for an address that was not given by us.
    ...(asked
      ? {}
      : { lease_s, renewal_s: Math.floor(lease_s / 2), rebinding_s: Math.floor((lease_s * 7) / 8) }),
  };
}

/** RFC 2131, 4.1: to the address that the client has; else to everyone, if it cannot take the other; else to the address it will have. */
export function frameOf(reply: DhcpPacket, own: OwnAddress): UdpFrame {
  const has = reply.type !== 'nak' && reply.ciaddr !== noAddress;
  const everyone = reply.type === 'nak' || (!has && reply.broadcast);
  return {
    kind: 'udp',
    from: own.mac,
    to: everyone ? macBroadcast : reply.mac,
    source: own.address,
    destination: everyone ? everyAddress : has ? reply.ciaddr : reply.yiaddr,
    sourcePort: serverPort,
    destinationPort: clientPort,
    payload: encodeDhcp(reply),
  };
}
