import { readRange } from '../filters/address.js';
import type { PeerRange } from '../filters/model.js';
import { servicePoint, tcp } from '../filters/protocols.js';
import { programOf } from '../filters/nft/compile.js';
import { closedPlan, type ConsoleWay, type NodePlan } from '../filters/nft/plan.js';
import type { FirewallProgram } from '../ports/firewall.js';
import { refuse, ok, type Result } from '../../protocol/result.js';
import type { Config } from './config.js';
import type { NodeState } from './state.js';
import { ownAddresses } from './fixed-addresses.js';

/** What is fixed while the node runs: its addresses, and the ways to consoles that no filter can close. */
export interface Standing extends Pick<NodePlan, 'addresses' | 'consoles' | 'engines' | 'dhcp' | 'routers'> {
  /** Where consoles dial. */
  readonly consolePort: number;
}

/** What the configuration says of addresses and of the ways to consoles and gateways. */
export function standingOf(config: Config): Result<Standing> {
  const own = ownAddresses(config);
  if (!own.ok) return own;
  const addresses = own.value.map(({ family, value }): PeerRange => ({ family, lo: value, hi: value }));
  const consoles: ConsoleWay[] = [];
  for (const [index, text] of (config.consoles ?? []).entries()) {
    const range = readRange(text);
    if (range.kind !== 'range') return refuse('bad-input', 'not an address', { where: `consoles[${index}]` });
    consoles.push(way('in', range.range, config.listen.port));
  }
  for (const [index, { url }] of (config.gateways ?? []).entries()) {
    const { hostname, port } = new URL(url);
    const range = readRange(hostname.replace(/^\[|\]$/g, ''));
    // A name would have to be looked up through the very filters that it opens.
    if (range.kind !== 'range')
      return refuse('bad-input', 'a gateway is named by its address', { where: `gateways[${index}].url` });
    consoles.push(way('out', range.range, Number(port === '' ? '443' : port)));
  }
  return ok({
    addresses,
    consoles,
    engines: [],
    consolePort: config.listen.port,
    dhcp: config.dhcp === true ? { servers: [] } : undefined,
    routers: [],
  });
}

/** The same, with the address that a DHCP server gave. Without one, the node has none but those of its configuration. */
export function standingWith(standing: Standing, change: { new?: string; server?: string }): Standing {
  const given = rangesOf(change.new);
  const servers = rangesOf(change.server);
  return { ...standing, addresses: [...standing.addresses, ...given], dhcp: { servers } };
}

/**
 * What the machine enforces from boot until BMonitor runs: DHCP and the consoles. No level's filters are in it, so it follows from the
 * configuration alone, and no change of filters waits for a file.
 */
export function bootProgram(standing: Standing): FirewallProgram {
  const { consolePort: _, ...plan } = standing;
  return programOf({ ...closedPlan, ...plan });
}

/** The same, with the ways of consoles that the landlord commanded, if it did; those of gateways stay. */
export function standingFor(standing: Standing, { ways }: Pick<NodeState, 'ways'>): Standing {
  if (!ways) return standing;
  const commanded = ways.consoles.flatMap(rangesOf).map((peer) => way('in', peer, standing.consolePort));
  const gateways = standing.consoles.filter(({ direction }) => direction === 'out');
  return { ...standing, consoles: [...commanded, ...gateways] };
}

function rangesOf(address: string | undefined): readonly PeerRange[] {
  const range = address === undefined ? undefined : readRange(address);
  return range?.kind === 'range' ? [range.range] : [];
}

function way(direction: ConsoleWay['direction'], peer: PeerRange, port: number): ConsoleWay {
  const point = servicePoint(tcp, port);
  return { direction, peer, services: { lo: point, hi: point } };
}
