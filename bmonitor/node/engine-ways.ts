import { portsOf, type EngineSettings } from '../../protocol/engines.js';
import { formatAddress, parseAddress } from '../filters/address.js';
import type { PeerRange } from '../filters/model.js';
import type { EngineWay } from '../filters/nft/plan.js';
import type { EngineNetwork, EnginePort, OwnedAddress } from '../ports/engines.js';
import type { NodeState } from './state.js';

/** Shared address space (RFC 6598), which is nobody's on the Internet; another network of this size can be configured. */
export const usualNetwork = '100.96.0.0/16';

/** A unique local network (RFC 4193) that stays on the node: what leaves it does so under an address of the node. */
export const network6 = 'fd62:6d6f:6e69:746f::/64';

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
    address6: `${network6.slice(0, -'/64'.length)}${slot.toString(16)}`,
    network,
    outsideMac: mac('02'),
    insideMac: mac('06'),
  };
}

/** Of all engines that are described: the filters know an engine before it runs, and as long as it could. */
export function waysIn(state: NodeState, network: string | undefined): readonly EngineWay[] {
  return state.levels.flatMap(({ engines }) =>
    (engines ?? []).map(({ slot }) => {
      const { interface: port, address, address6 } = networkOf(slot, network);
      return { interface: port, addresses: [single(address), single(address6)] };
    }),
  );
}

/** Which of the node's ports lead to which engine. */
export function portsIn(state: NodeState, network: string | undefined): readonly EnginePort[] {
  return state.levels
    .filter(({ status }) => status === 'active')
    .flatMap(({ engines }) => engines ?? [])
    .flatMap(({ slot, described }) =>
      portsOf(described?.settings ?? {}).map((one) => {
        const { address, address6 } = networkOf(slot, network);
        return { ...one, to: address, to6: address6 };
      }),
    );
}

/** The addresses that lead to one engine alone, of those that are for engines. */
export function ownedIn(
  state: NodeState,
  network: string | undefined,
  forEngines: ReadonlySet<string>,
): readonly OwnedAddress[] {
  return state.levels
    .filter(({ status }) => status === 'active')
    .flatMap(({ engines }) => engines ?? [])
    .flatMap(({ slot, described }) =>
      ownAddressesOf(described?.settings ?? {})
        .filter((address) => forEngines.has(address))
        .map((address) => {
          const inner = networkOf(slot, network);
          return address.includes(':')
            ? { family: 6, address, to: inner.address6 }
            : { family: 4, address, to: inner.address };
        }),
    );
}

/** As they are written everywhere; what filters do not take for an address stays as it is, and is none of the node's. */
export function ownAddressesOf({ addresses = [] }: Pick<EngineSettings, 'addresses'>): readonly string[] {
  return addresses.map((text) => {
    const address = parseAddress(text);
    return address ? formatAddress(address.family, address.value) : text;
  });
}

function single(text: string): PeerRange {
  const address = parseAddress(text);
  if (!address) throw new Error(`not an address: ${text}`);
  return { family: address.family, lo: address.value, hi: address.value };
}
