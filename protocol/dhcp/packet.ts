import type { Mac } from '../ethernet/address.js';

/** What a DHCP packet asks or answers, with its number on the wire. */
export const dhcpTypes = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const;
export type DhcpType = keyof typeof dhcpTypes;

/** Those that a server sends. */
export const replyTypes: ReadonlySet<DhcpType> = new Set(['offer', 'ack', 'nak']);

export interface ClasslessRoute {
  readonly network: string;
  readonly length: number;
  readonly router: string;
}

/** The options that we understand. All others are left out when a packet is read. */
export interface DhcpOptions {
  readonly subnetMask?: string;
  readonly routers?: readonly string[];
  readonly dns?: readonly string[];
  readonly hostname?: string;
  readonly domain?: string;
  readonly mtu?: number;
  readonly broadcastAddress?: string;
  readonly ntp?: readonly string[];
  readonly requested?: string;
  readonly lease_s?: number;
  readonly server?: string;
  readonly parameters?: readonly number[];
  readonly message?: string;
  readonly size_max?: number;
  readonly renewal_s?: number;
  readonly rebinding_s?: number;
  readonly vendorClass?: string;
  readonly clientId?: readonly number[];
  readonly classlessRoutes?: readonly ClasslessRoute[];
  /** Our own: `HOST:PORT` or `HOST:PORT#PIN` of the console's gateway. A hint, never trusted without its pin known otherwise. */
  readonly gateway?: string;
}

export interface DhcpPacket {
  readonly type: DhcpType;
  readonly xid: number;
  readonly secs: number;
  /** The client cannot take a packet to an address that it does not have yet. */
  readonly broadcast: boolean;
  /** The client's own address, if it has one that works. */
  readonly ciaddr: string;
  /** The address that a server gives. */
  readonly yiaddr: string;
  readonly siaddr: string;
  /** The relay between them. */
  readonly giaddr: string;
  readonly mac: Mac;
  readonly options: DhcpOptions;
}

export const noAddress = '0.0.0.0';
export const everyAddress = '255.255.255.255';
export const serverPort = 67;
export const clientPort = 68;
