import type { ClasslessRoute, DhcpPacket } from '../../protocol/dhcp/index.js';
import type { Mac } from '../../protocol/ethernet/address.js';
import type { Result } from '../../protocol/result.js';

/** An address with its routes, as the machine takes it. */
export interface Assignment {
  readonly address: string;
  readonly length: number;
  readonly routes: readonly (ClasslessRoute & {
    /** The router is outside the address's network and reached on the link all the same. */
    readonly onLink: boolean;
  })[];
  /** The kernel gives the address up by itself when this is over, also if nobody lives to tell it. Absent: for ever. */
  readonly holds_s?: number;
}

export interface AddressLinkEvents {
  packet(packet: DhcpPacket): void;
  /** Another machine said that it has this address. */
  conflict(address: string): void;
  carrier(up: boolean): void;
  lost(why: string): void;
}

/** One interface of the machine: packets before there is an address, and the address itself. */
export interface AddressLink {
  readonly mac: Mac;
  broadcast(packet: DhcpPacket): void;
  /** From an address that is applied, the ordinary way. */
  sendTo(server: string, from: string, packet: DhcpPacket): Promise<void>;
  /** Whether somebody on the link has, or is about to take, this address. */
  probe(address: string): Promise<boolean>;
  announce(address: string): void;
  /** Puts the address on the interface, and removes others that were there on a lease. Applying again what is there renews it. */
  apply(assignment: Assignment): Promise<Result<void>>;
  remove(address: string, length: number): Promise<Result<void>>;
  close(): Promise<void>;
}

/** The address that the node had, for the next start. */
export interface AddressMemory {
  read(): Promise<string | undefined>;
  write(address: string | undefined): Promise<void>;
}

/** What the configuration puts on an interface, for ever. */
export interface FixedAddresses {
  readonly addresses: readonly {
    readonly address: string;
    readonly family: 4 | 6;
    readonly length: number;
    /** The machine itself does not speak under it. */
    readonly forEngines?: true;
  }[];
  /** At most one for each family. */
  readonly routers: readonly { readonly address: string; readonly family: 4 | 6 }[];
}
