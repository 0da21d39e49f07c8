import { noAddress, type DhcpPacket } from '../../protocol/dhcp/index.js';
import type { HeldAddress } from './model.js';
import type { LeaseBook, Place } from './book.js';

/** What the server does about one packet. */
export type Decision =
  | { readonly do: 'nothing'; readonly why: string }
  /** A machine that nobody has adopted. */
  | { readonly do: 'wait' }
  | { readonly do: 'offer'; readonly place: Place; readonly probe: boolean }
  /** Written first, answered then. */
  | { readonly do: 'grant'; readonly place: Place; readonly held: HeldAddress }
  | { readonly do: 'refuse'; readonly why: string }
  | { readonly do: 'free'; readonly held: HeldAddress }
  /** Somebody else uses the address: nobody gets it for a while. */
  | { readonly do: 'setAside'; readonly held: HeldAddress }
  | { readonly do: 'inform'; readonly place: Place };

export interface ServerFacts {
  /** This server's own address, by which clients name it. */
  readonly address: string;
  readonly now_ms: number;
  readonly setAside_ms: number;
}

function nothing(why: string): Decision {
  return { do: 'nothing', why };
}

/** Pure but for the offer that the book sets aside. */
export function decide(book: LeaseBook, packet: DhcpPacket, facts: ServerFacts): Decision {
  if (packet.giaddr !== noAddress) return nothing('through a relay');
  const { server } = packet.options;
  if (server !== undefined && server !== facts.address) {
    // It took another server's offer.
    if (packet.type === 'request') book.withdrawOffer(packet.mac);
    return nothing('for another server');
  }
  if (!book.machines.has(packet.mac)) return { do: 'wait' };
  switch (packet.type) {
    case 'discover':
      return discover(book, packet, facts);
    case 'request':
      return request(book, packet, facts);
    case 'decline':
      return decline(book, packet, facts);
    case 'release':
      return release(book, packet, facts);
    case 'inform':
      return inform(book, packet, facts);
    case 'offer':
    case 'ack':
    case 'nak':
      return nothing('a server’s');
  }
}

function discover(book: LeaseBook, packet: DhcpPacket, { now_ms }: ServerFacts): Decision {
  const place = book.offer(packet.mac, packet.options.requested, now_ms);
  if (place === undefined) return nothing('no address is left that filters do not name for another');
  // What the machine holds it may be using: the probe would find the machine itself.
  return { do: 'offer', place, probe: book.holder(place.address, now_ms) !== packet.mac };
}

function request(book: LeaseBook, packet: DhcpPacket, { now_ms }: ServerFacts): Decision {
  const address = packet.ciaddr === noAddress ? packet.options.requested : packet.ciaddr;
  if (address === undefined) return nothing('asks for no address');
  const place = book.mayHave(packet.mac, address, now_ms);
  if (place === undefined) return { do: 'refuse', why: `${address} is not for this machine` };
  const until_ms = now_ms + place.pool.lease_s * 1000;
  return { do: 'grant', place, held: { address, mac: packet.mac, until_ms } };
}

function decline(book: LeaseBook, packet: DhcpPacket, { now_ms, setAside_ms }: ServerFacts): Decision {
  const address = packet.options.requested;
  // Only its own: otherwise one machine could empty the pool.
  if (address === undefined || book.holder(address, now_ms) !== packet.mac)
    return nothing('declines what it does not hold');
  return { do: 'setAside', held: { address, until_ms: now_ms + setAside_ms } };
}

function release(book: LeaseBook, packet: DhcpPacket, { now_ms }: ServerFacts): Decision {
  const address = packet.ciaddr;
  if (book.holder(address, now_ms) !== packet.mac) return nothing('releases what it does not hold');
  return { do: 'free', held: { address, mac: packet.mac, until_ms: now_ms } };
}

function inform(book: LeaseBook, packet: DhcpPacket, { now_ms }: ServerFacts): Decision {
  const place = book.mayHave(packet.mac, packet.ciaddr, now_ms);
  return place === undefined ? nothing('asks about an address that is not its own') : { do: 'inform', place };
}
