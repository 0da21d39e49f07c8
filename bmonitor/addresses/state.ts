import type { DhcpPacket } from '../../protocol/dhcp/index.js';
import type { Mac } from '../../protocol/ethernet/address.js';
import type { Lease } from './lease.js';

/**
 * Where the client stands (RFC 2131, figure 5, with the conflict probe of RFC 5227):
 *
 *   init → selecting → requesting → probing → bound ⇄ renewing → rebinding → expired → selecting
 *                        │            │         ↕
 *   declined ← ──────────┼────────────┘      rebooting (the link came back, or the node started with an address it had)
 *      └→ init ←─────────┘ (refused)
 *
 * released: by command; nothing more is asked for until `start`.
 */
export type State =
  | { readonly is: 'init'; readonly until_ms: number }
  | ({ readonly is: 'selecting' } & Asking)
  | ({ readonly is: 'requesting'; readonly offer: Lease } & Asking)
  | ({ readonly is: 'rebooting'; readonly address: string; readonly lease?: Lease } & Asking)
  | { readonly is: 'probing'; readonly lease: Lease }
  | { readonly is: 'bound'; readonly lease: Lease; readonly defended_ms?: number }
  | ({ readonly is: 'renewing'; readonly lease: Lease } & Asking)
  | ({ readonly is: 'rebinding'; readonly lease: Lease } & Asking)
  | { readonly is: 'expired'; readonly until_ms: number }
  | { readonly is: 'declined'; readonly until_ms: number }
  | { readonly is: 'released' };

/** A question on its way. */
export interface Asking {
  readonly xid: number;
  /** When this exchange began. */
  readonly since_ms: number;
  /** How often it was asked. */
  readonly tries: number;
  /** When it is asked again. */
  readonly again_ms: number;
}

export interface Client {
  readonly state: State;
  /** What is on the interface now. */
  readonly applied?: Lease;
  /** Refusals and conflicts in a row, for the wait before the next attempt. */
  readonly failures: number;
  /** Servers that offered and then did not give: others come first for a while. */
  readonly avoided: readonly { readonly server: string; readonly until_ms: number }[];
}

export const newClient: Client = { state: { is: 'released' }, failures: 0, avoided: [] };

export type Input =
  /** Begin; with the address that the node had before it was restarted, if there is one. */
  | { readonly kind: 'start'; readonly previous?: string }
  | { readonly kind: 'packet'; readonly packet: DhcpPacket }
  /** The moment of `wakeAt` has come. */
  | { readonly kind: 'wake' }
  /** The end of the probe that was asked for. */
  | { readonly kind: 'probed'; readonly address: string; readonly taken: boolean }
  /** Another machine was heard to use this address. */
  | { readonly kind: 'conflict'; readonly address: string }
  | { readonly kind: 'carrier'; readonly up: boolean }
  | { readonly kind: 'release' };

export type Effect =
  | { readonly kind: 'send'; readonly packet: DhcpPacket; readonly to: 'everyone' }
  | { readonly kind: 'send'; readonly packet: DhcpPacket; readonly to: 'server'; readonly server: string }
  /** Ask the link whether somebody has this address, and answer with `probed`. */
  | { readonly kind: 'probe'; readonly address: string }
  /** Say on the link that the address is ours. */
  | { readonly kind: 'announce'; readonly address: string }
  | { readonly kind: 'apply'; readonly lease: Lease }
  | { readonly kind: 'remove'; readonly lease: Lease }
  /** The node's address is another from here on: after the old one was removed, before the new one is applied. */
  | { readonly kind: 'changed'; readonly old?: string; readonly new?: string };

/** What the machine around the client says of itself. */
export interface Facts {
  readonly now_ms: number;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly mac: Mac;
  readonly hostname: string;
}

export interface Step {
  readonly client: Client;
  readonly effects: readonly Effect[];
}

/** When the client wants to be woken; nothing if only the world can move it. */
export function wakeAt({ state }: Client): number | undefined {
  switch (state.is) {
    case 'init':
    case 'expired':
    case 'declined':
      return state.until_ms;
    case 'selecting':
    case 'requesting':
      return state.again_ms;
    case 'rebooting':
      return state.lease === undefined ? state.again_ms : Math.min(state.again_ms, state.lease.expires_ms);
    case 'bound':
      return state.lease.renew_ms;
    case 'renewing':
      return Math.min(state.again_ms, state.lease.rebind_ms);
    case 'rebinding':
      return Math.min(state.again_ms, state.lease.expires_ms);
    case 'probing':
    case 'released':
      return undefined;
  }
}
