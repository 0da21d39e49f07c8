import { portsOf } from '../../protocol/engines.js';
import { parseAddress } from '../filters/address.js';
import type { PeerRange } from '../filters/model.js';
import type { EngineWay } from '../filters/nft/plan.js';
import type { EngineNetwork, EnginePort } from '../ports/engines.js';
import type { NodeState } from './state.js';

/** Shared address space (RFC 6598), which is nobody's on the Internet; another network of this size can be configured. */
export const usualNetwork = '100.96.0.0/16';

/** Where an engine is in the node's network: an interface and an address of its own, by its slot. */
export function networkOf(slot: number, network = usualNetwork): EngineNetwork {
  const [high = '', middle = ''] = network.split('.');
  const [upper, lower] = [slot >> 8, slot & 255];
  const mac = (side: string): string =>
    [side, '62', '6d', '00', upper, lower]
      .map((part) => (typeof part === 'number' ? part.toString(16).padStart(2, '0') : part))
      .join(':');
  return {
    interface: `bme${slot}`,
    address: `${high}.${middle}.${upper}.${lower}`,
    network,
    outsideMac: mac('02'),
    insideMac: mac('06'),
  };
}

/** Of all engines that are described: the filters know an engine before it runs, and as long as it could. */
export function waysIn(state: NodeState, network: string | undefined): readonly EngineWay[] {
  return state.levels.flatMap(({ engines }) =>
    (engines ?? []).map(({ slot }) => {
      const { interface: port, address } = networkOf(slot, network);
      return { interface: port, addresses: [single(address)] };
    }),
  );
}

/** Which of the node's ports lead to which engine. */
export function portsIn(state: NodeState, network: string | undefined): readonly EnginePort[] {
  return state.levels
    .filter(({ status }) => status === 'active')
    .flatMap(({ engines }) => engines ?? [])
    .flatMap(({ slot, described }) =>
      portsOf(described?.settings ?? {}).map((one) => ({ ...one, to: networkOf(slot, network).address })),
    );
}

function single(text: string): PeerRange {
  const address = parseAddress(text);
  if (!address) throw new Error(`not an address: ${text}`);
  return { family: address.family, lo: address.value, hi: address.value };
}
