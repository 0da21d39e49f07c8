import type { EngineNetwork } from '../../ports/engines.js';

const router4 = '169.254.1.1';
const router6 = 'fe80::1';

/**
 * For ip: what makes the interface, what gives it IPv4 and IPv6 in the machine, and the same in the engine. A routed pair of interfaces: one address of each family on the engine's side,
 * every neighbour known beforehand, so that nobody asks for one and nobody can answer wrongly.
 */
export function linesFor(
  network: EngineNetwork | undefined,
  namespace: string,
): readonly [string, string, string, string, string] {
  if (!network) return ['', '', '', '', ''];
  const { interface: port, address, address6, outsideMac, insideMac } = network;
  return [
    `link add ${port} address ${outsideMac} type veth peer name eth0 address ${insideMac} netns ${namespace}\n`,
    lines(
      `link set ${port} up`,
      `neigh add ${address} lladdr ${insideMac} dev ${port} nud permanent`,
      `route add ${address}/32 dev ${port}`,
    ),
    lines(
      `neigh add ${address6} lladdr ${insideMac} dev ${port} nud permanent`,
      `route add ${address6}/128 dev ${port}`,
    ),
    lines(
      `addr add ${address}/32 dev eth0`,
      // Nothing is asked of neighbours, and nobody told of groups.
      'link set eth0 arp off up',
      `neigh add ${router4} lladdr ${outsideMac} dev eth0 nud permanent`,
      `route add ${router4} dev eth0 scope link`,
      `route add default via ${router4} dev eth0`,
    ),
    lines(
      `addr add ${address6}/128 dev eth0 nodad`,
      `neigh add ${router6} lladdr ${outsideMac} dev eth0 nud permanent`,
      `route add default via ${router6} dev eth0`,
    ),
  ];
}

function lines(...all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join('');
}
