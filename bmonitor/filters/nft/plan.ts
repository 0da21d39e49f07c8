import type { LevelBoxes } from '../boxes.js';
import type { Direction, PeerRange, ServiceRange } from '../model.js';

/** All that decides how a node's kernel judges packets. Quarantine, boot and undo are plans like any other. */
export interface NodePlan {
  /** Upper levels first. None: nothing passes but the consoles and what a node needs. */
  readonly levels: readonly LevelBoxes[];
  /** Every address the node answers for, its engines' included. */
  readonly addresses: readonly PeerRange[];
  /** Engines are behind routed interfaces of their own, each with addresses that are also among `addresses`. */
  readonly engines: readonly EngineWay[];
  /** Ways to consoles and gateways, which no filter can close. */
  readonly consoles: readonly ConsoleWay[];
  readonly dhcp: DhcpClient | undefined;
  /** Link-local addresses whose router advertisements are heard. */
  readonly routers: readonly PeerRange[];
  readonly quarantine: boolean;
}

export interface EngineWay {
  readonly interface: string;
  readonly addresses: readonly PeerRange[];
}

export interface ConsoleWay {
  /** `in`: the console dials the node; `out`: the node dials. */
  readonly direction: Direction;
  readonly peer: PeerRange;
  /** On the service axis, the side of who is dialled. */
  readonly services: ServiceRange;
}

/** Servers that are known may also be spoken to without broadcast, and only they are heard; with none, any is heard. */
export interface DhcpClient {
  readonly servers: readonly PeerRange[];
}

/** What a node enforces before it knows anything. */
export const closedPlan: NodePlan = {
  levels: [],
  addresses: [],
  engines: [],
  consoles: [],
  dhcp: undefined,
  routers: [],
  quarantine: false,
};
