import type { Result } from '../../../protocol/result.js';
import { ok } from '../../../protocol/result.js';
import type { EnginePort } from '../../ports/engines.js';
import { runTool } from './tools.js';

/**
 * A table of our own that leads ports of the node to engines, and lets engines speak under the node's address. It lets nothing through: every packet is judged by the
 * filters' own chains, after its address was changed on the way in, and before on the way out.
 */
export class EnginePorts {
  #stands: string | undefined;

  async apply(ports: readonly EnginePort[], network: string): Promise<Result<void>> {
    const text = tableOf(ports, network);
    if (text === this.#stands) return ok(undefined);
    this.#stands = undefined;
    const done = await runTool('nft', ['-f', '-'], { input: text });
    if (!done.ok) return done;
    this.#stands = text;
    return ok(undefined);
  }
}

const table = 'ip bmonitor_engines';

/** The whole table in one transaction. Flows that are open keep their way, and are judged on as they are. */
export function tableOf(ports: readonly EnginePort[], network: string): string {
  const map = (protocol: EnginePort['protocol']): string => {
    const elements = ports
      .filter((one) => one.protocol === protocol)
      .map(({ port, to }) => `${port} : ${to}`);
    const list = elements.length === 0 ? '' : ` elements = { ${elements.join(', ')} };`;
    return `  map ${protocol}_ports { type inet_service : ipv4_addr;${list} }`;
  };
  return [
    `add table ${table}`,
    `delete table ${table}`,
    `table ${table} {`,
    map('tcp'),
    map('udp'),
    '  chain prerouting {',
    '    type nat hook prerouting priority dstnat; policy accept;',
    '    fib daddr type local dnat to tcp dport map @tcp_ports',
    '    fib daddr type local dnat to udp dport map @udp_ports',
    '  }',
    '  chain postrouting {',
    '    type nat hook postrouting priority srcnat; policy accept;',
    `    ip saddr ${network} oifname != "bme*" masquerade`,
    '  }',
    '}',
    '',
  ].join('\n');
}
