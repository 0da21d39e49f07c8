import type { Result } from '../../../protocol/result.js';
import { ok } from '../../../protocol/result.js';
import type { EnginePort, OwnedAddress } from '../../ports/engines.js';
import { runTool } from './tools.js';

/** What leads to engines. */
export interface EngineLeads {
  readonly ports: readonly EnginePort[];
  readonly owned: readonly OwnedAddress[];
  /** The networks that engines have among themselves. */
  readonly networks: { readonly 4: string; readonly 6: string };
  /** Where consoles reach BMonitor: at every address of the node, those of engines included. */
  readonly listen: number;
}

/**
 * Tables of our own that lead ports and addresses of the node to engines, and let engines speak under an address of the node. They let nothing through: every packet is judged by the
 * filters' own chains, after its address was changed on the way in, and before on the way out.
 */
export class EnginePorts {
  #stands: string | undefined;

  async apply(leads: EngineLeads): Promise<Result<void>> {
    const text = ([4, 6] as const).map((family) => tableOf(leads, family)).join('');
    if (text === this.#stands) return ok(undefined);
    this.#stands = undefined;
    const done = await runTool('nft', ['-f', '-'], { input: text });
    if (!done.ok) return done;
    this.#stands = text;
    return ok(undefined);
  }
}

const words = { 4: ['ip', 'ipv4_addr'], 6: ['ip6', 'ipv6_addr'] } as const;

/** The whole table of one family in one transaction. Flows that are open keep their way, and are judged on as they are. */
export function tableOf({ ports, owned, networks, listen }: EngineLeads, family: 4 | 6): string {
  const [word, type] = words[family];
  const table = `${word} bmonitor_engines`;
  const map = (name: string, types: string, elements: readonly string[]): string =>
    `  map ${name} { type ${types};${elements.length === 0 ? '' : ` elements = { ${elements.join(', ')} };`} }`;
  const portsFor = (protocol: EnginePort['protocol']): string =>
    map(
      `${protocol}_ports`,
      `inet_service : ${type}`,
      ports
        .filter((one) => one.protocol === protocol)
        .map(({ port, to, to6 }) => `${port} : ${family === 4 ? to : to6}`),
    );
  const own = owned.filter((one) => one.family === family);
  return [
    `add table ${table}`,
    `delete table ${table}`,
    `table ${table} {`,
    portsFor('tcp'),
    portsFor('udp'),
    map(
      'own',
      `${type} : ${type}`,
      own.map(({ address, to }) => `${address} : ${to}`),
    ),
    map(
      'speaks',
      `${type} : ${type}`,
      own.map(({ address, to }) => `${to} : ${address}`),
    ),
    '  chain prerouting {',
    '    type nat hook prerouting priority dstnat; policy accept;',
    // BMonitor is no engine, and what is open to consoles leads to none.
    `    fib daddr type local tcp dport ${listen} return`,
    `    dnat to ${word} daddr map @own`,
    '    fib daddr type local dnat to tcp dport map @tcp_ports',
    '    fib daddr type local dnat to udp dport map @udp_ports',
    '  }',
    '  chain postrouting {',
    '    type nat hook postrouting priority srcnat; policy accept;',
    `    oifname != "bme*" snat to ${word} saddr map @speaks`,
    `    ${word} saddr ${networks[family]} oifname != "bme*" masquerade`,
    '  }',
    '}',
    '',
  ].join('\n');
}
