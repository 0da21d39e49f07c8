import { BlockList, isIPv4, isIPv6 } from 'node:net';
import type { FilterSet } from '../../bmonitor/filters/model.js';
import { parseFilterSet } from '../../bmonitor/filters/parse.js';
import { digestOf } from '../../crypto/bytes.js';
import { limits } from '../../protocol/limits.js';
import { opaqueObject, whole } from '../../protocol/parse.js';
import { ok, refuse, type Refusal, type Result } from '../../protocol/result.js';
import type { KnownNode, NodeBook } from '../nodes/book.js';

/** What one node is to have: a set, what its names stand for, and a digest by which two of them are compared. */
export interface Wanted {
  readonly set: FilterSet;
  readonly names: Readonly<Record<string, readonly string[]>>;
  readonly digest: string;
}

/** The same for two sets of filters that say the same in another order, so that what a node gives back can be compared. */
export function filtersDigest(set: unknown, names: unknown): string | undefined {
  const parsed = parseFilterSet(set);
  if (!parsed.ok || typeof names !== 'object' || names === null) return undefined;
  const { otherwise, onRefuse = 'drop', filters } = parsed.value;
  const lines = filters.map((filter) => JSON.stringify(filter)).toSorted();
  const sorted = Object.entries(names).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return digestOf(JSON.stringify([otherwise, onRefuse, lines, sorted]));
}

export const versionForm = whole({ min: 0, max: Number.MAX_SAFE_INTEGER });

/** What a node said of the filters of its landlord in its last status. */
export function versionIn({ status }: Pick<KnownNode, 'status'>): number | undefined {
  const filters = opaqueObject(status?.['filters'], '');
  const version = filters.ok ? versionForm(filters.value['version'], '') : filters;
  return version.ok ? version.value : undefined;
}

/** The version that waits for its confirmation there. */
export function pendingIn({ status }: Pick<KnownNode, 'status'>): number | undefined {
  const filters = opaqueObject(status?.['filters'], '');
  const pending = filters.ok ? opaqueObject(filters.value['pending'], '') : filters;
  const version = pending.ok ? versionForm(pending.value['version'], '') : pending;
  return version.ok ? version.value : undefined;
}

/**
 * The addresses that a node says it has. It may lie: what no node can have is passed over, so that it neither opens others to what is not a node nor makes a
 * boundary that all of them refuse.
 */
export function addressesIn({ status }: Pick<KnownNode, 'status'>): readonly string[] | undefined {
  const said = status?.['addresses'];
  if (!Array.isArray(said) || said.length === 0) return undefined;
  const possible = said.filter((one): one is string => typeof one === 'string' && isNodeAddress(one));
  return possible.slice(0, limits.node_addresses_max).toSorted();
}

/** Everybody's, groups', or only a machine's own. One list for each kind: a list takes an IPv4 address for its IPv6 form as well. */
const nobodys4 = new BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['224.0.0.0', 3],
] as const)
  nobodys4.addSubnet(network, bits, 'ipv4');
const nobodys6 = new BlockList();
for (const [network, bits] of [
  ['::', 127],
  ['::ffff:0:0', 96],
  ['ff00::', 8],
] as const)
  nobodys6.addSubnet(network, bits, 'ipv6');

function isNodeAddress(text: string): boolean {
  if (text.includes('%')) return false;
  if (isIPv4(text)) return !nobodys4.check(text, 'ipv4');
  return isIPv6(text) && !nobodys6.check(text, 'ipv6');
}

/** Answers after which it is not known whether the node acted; it is asked again later. */
const away: ReadonlySet<string> = new Set([
  'unreachable',
  'node-silent',
  'stale',
  'nonce-stale',
  'wrong-boot',
  'too-many',
]);
export function isAway({ code }: Refusal): boolean {
  return away.has(code);
}

/** Gives one node its filters, for good. */
export async function give(
  nodes: NodeBook,
  node: string,
  wanted: Wanted,
  options: { readonly expect: number },
): Promise<Result<number>> {
  const { expect } = options;
  const reply = await nodes.request(node, {
    type: 'filters.replace',
    expect,
    set: wanted.set as unknown as Record<string, unknown>,
    names: wanted.names,
  });
  if (!reply.ok) return reply;
  const version = versionForm(reply.value.result?.['version'], 'version');
  return version.ok ? ok(version.value) : refuse('bad-input', 'the node names no version');
}

export async function keep(nodes: NodeBook, node: string, version: number): Promise<Result<true>> {
  const reply = await nodes.request(node, { type: 'filters.confirm', version });
  return reply.ok ? ok(true) : reply;
}

/** What stands on a node: its version, and the digest by which it is compared. */
export async function readBack(
  nodes: NodeBook,
  node: string,
): Promise<Result<{ readonly version: number; readonly digest: string | undefined }>> {
  const reply = await nodes.request(node, { type: 'filters.read' });
  if (!reply.ok) return reply;
  const version = versionForm(reply.value.result?.['version'], 'version');
  if (!version.ok) return version;
  const { set, names } = reply.value.result ?? {};
  return ok({ version: version.value, digest: filtersDigest(set, names) });
}

/** What stood before comes back at once; where the node cannot be reached it comes back by itself. */
export async function takeBack(nodes: NodeBook, node: string, version: number): Promise<Result<true>> {
  const reply = await nodes.request(node, { type: 'filters.undo', version });
  return reply.ok ? ok(true) : reply;
}

/** A few hundred at once: as many as the links and the nodes take without waiting for each other. */
export async function forEach<T, R>(items: readonly T[], act: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) {
      const item = items[at];
      if (item !== undefined) results[at] = await act(item);
    }
  };
  await Promise.all(
    Array.from({ length: Math.min(limits.boundary_pushes_at_once_max, items.length) }, worker),
  );
  return results;
}
