import { noAddress, type DhcpOptions, type DhcpPacket } from '../../protocol/dhcp/index.js';
import { macBytes } from '../../protocol/ethernet/address.js';
import type { Lease } from './lease.js';
import type { Effect, Facts } from './state.js';

/** Mask, routers, times, classless routes, and where the console's gateway is. */
const wanted = [1, 3, 51, 54, 58, 59, 121, 224];

interface Exchange {
  readonly xid: number;
  readonly since_ms: number;
}

function packet(
  type: DhcpPacket['type'],
  { xid, since_ms }: Exchange,
  facts: Facts,
  more: { ciaddr?: string; options?: DhcpOptions },
): DhcpPacket {
  return {
    type,
    xid,
    secs: Math.min(0xffff, Math.max(0, Math.floor((facts.now_ms - since_ms) / 1000))),
    // The raw link hears packets to an address that is not there yet; switches and servers are spared the broadcast.
    broadcast: false,
    ciaddr: more.ciaddr ?? noAddress,
    yiaddr: noAddress,
    siaddr: noAddress,
    giaddr: noAddress,
    mac: facts.mac,
    options: { clientId: [1, ...macBytes(facts.mac)], ...more.options },
  };
}

function asking(facts: Facts): DhcpOptions {
  return { parameters: wanted, size_max: 1472, vendorClass: 'bmonitor', hostname: facts.hostname };
}

function toEveryone(sent: DhcpPacket): Effect {
  return { kind: 'send', packet: sent, to: 'everyone' };
}

export function discover(exchange: Exchange, facts: Facts): Effect {
  return toEveryone(packet('discover', exchange, facts, { options: asking(facts) }));
}

export function request(exchange: Exchange, facts: Facts, offer: Lease): Effect {
  const options = { ...asking(facts), requested: offer.address, server: offer.server };
  return toEveryone(packet('request', exchange, facts, { options }));
}

/** "May I have this address still?" */
export function confirm(exchange: Exchange, facts: Facts, address: string): Effect {
  return toEveryone(
    packet('request', exchange, facts, { options: { ...asking(facts), requested: address } }),
  );
}

export function renew(exchange: Exchange, facts: Facts, lease: Lease): Effect {
  const sent = packet('request', exchange, facts, { ciaddr: lease.address, options: asking(facts) });
  return { kind: 'send', packet: sent, to: 'server', server: lease.server };
}

export function rebind(exchange: Exchange, facts: Facts, lease: Lease): Effect {
  return toEveryone(packet('request', exchange, facts, { ciaddr: lease.address, options: asking(facts) }));
}

export function decline(xid: number, facts: Facts, lease: Lease): Effect {
  const options = { requested: lease.address, server: lease.server, message: 'in use by another machine' };
  return toEveryone(packet('decline', { xid, since_ms: facts.now_ms }, facts, { options }));
}

export function release(xid: number, facts: Facts, lease: Lease): Effect {
  const sent = packet('release', { xid, since_ms: facts.now_ms }, facts, {
    ciaddr: lease.address,
    options: { server: lease.server },
  });
  return { kind: 'send', packet: sent, to: 'server', server: lease.server };
}
