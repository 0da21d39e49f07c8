import { tableName } from '../../ports/firewall-text.js';
import type { CountedElement, CountedFlow } from '../../ports/firewall.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import { readElements } from './listing.js';
import type { Prefix } from './nft-shell.js';
import { runTool } from './tool.js';
import { id, type Standing } from './transition.js';

function counted(text: string): CountedElement | undefined {
  const [, packets, bytes] = /packets (\d+) bytes (\d+)/u.exec(text) ?? [];
  if (packets === undefined || bytes === undefined) return undefined;
  return { packets: Number(packets), bytes: Number(bytes) };
}

/** What each element judged; those that judged nothing are left out. */
export async function readElementCounters(
  prefix: Prefix,
  standing: Standing,
): Promise<Result<ReadonlyMap<string, ReadonlyMap<string, CountedElement>>>> {
  const all = new Map<string, ReadonlyMap<string, CountedElement>>();
  for (const table of standing.program.tables) {
    for (const map of table.maps) {
      const slot = standing.slots.get(id(table, map.name));
      if (!map.counted || map.elements.size === 0 || slot === undefined) continue;
      const kind = map.verdicts ? 'map' : 'set';
      const listed = await runTool(prefix, ['nft', '-n', 'list', kind, table.family, tableName, slot]);
      if (!listed.ok) return listed;
      const elements = new Map<string, CountedElement>();
      for (const [key, rest] of readElements(listed.value.stdout)) {
        const counts = counted(rest);
        if (counts !== undefined && counts.packets > 0) elements.set(key, counts);
      }
      all.set(map.name, elements);
    }
  }
  return ok(all);
}

export async function readNamedCounters(
  prefix: Prefix,
): Promise<Result<ReadonlyMap<string, CountedElement>>> {
  const listed = await runTool(prefix, ['nft', 'list', 'counters', 'table', 'inet', tableName]);
  if (!listed.ok) return listed;
  const named = new Map<string, CountedElement>();
  for (const [, name = '', body = ''] of listed.value.stdout.matchAll(/counter (\S+) \{([^}]*)\}/gu)) {
    const counts = counted(body);
    if (counts !== undefined) named.set(name, counts);
  }
  return ok(named);
}

/** `conntrack -L` gives each flow as two halves: how it began, and its replies. */
const flowLine =
  /^\S+ +(\d+) .*?src=(\S+) dst=(\S+) (?:sport=(\d+) dport=(\d+) |type=\d+ code=\d+ id=\d+ )?packets=(\d+) bytes=(\d+) .*?packets=(\d+) bytes=(\d+)/u;

export function readFlows(text: string): readonly CountedFlow[] {
  return text.split('\n').flatMap((line) => {
    const found = flowLine.exec(line);
    if (found === null) return [];
    const [, protocol, source = '', destination = '', from, to, packets, bytes, back, backBytes] = found;
    return [
      {
        protocol: Number(protocol),
        source,
        destination,
        sourcePort: Number(from ?? 0),
        destinationPort: Number(to ?? 0),
        packets: Number(packets) + Number(back),
        bytes: Number(bytes) + Number(backBytes),
      },
    ];
  });
}

export async function listFlows(prefix: Prefix): Promise<Result<readonly CountedFlow[]>> {
  const flows: CountedFlow[] = [];
  for (const family of ['ipv4', 'ipv6']) {
    const listed = await runTool(prefix, ['conntrack', '-L', '-f', family]);
    if (!listed.ok) return listed;
    if (listed.value.code !== 0) return refuse('firewall-tool-failed', listed.value.stderr.slice(0, 500));
    flows.push(...readFlows(listed.value.stdout));
  }
  return ok(flows);
}

/** Packets and bytes of flows are only counted where the kernel is told to. */
export async function countFlows(prefix: Prefix): Promise<Result<void>> {
  const set = await runTool(prefix, ['sysctl', '-q', '-w', 'net.netfilter.nf_conntrack_acct=1']);
  return set.ok ? ok(undefined) : set;
}
