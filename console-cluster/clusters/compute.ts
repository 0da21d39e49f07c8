import type { Filter, FilterSet } from '../../bmonitor/filters/model.js';
import { parseFilter } from '../../bmonitor/filters/parse.js';
import { filtersDigest, type Wanted } from '../../console/filters/push.js';
import { ok, type Result } from '../../protocol/result.js';
import { asRanges } from './ranges.js';
import type { Cluster, Exception, Side } from './record.js';

/** What people decided and what is known, from which every boundary follows. */
export interface Plan {
  readonly clusters: ReadonlyMap<string, Cluster>;
  readonly exceptions: ReadonlyMap<string, Exception>;
  /** Addresses of nodes, as they said themselves. */
  readonly addresses: ReadonlyMap<string, readonly string[]>;
}

export function clusterOf(plan: Pick<Plan, 'clusters'>, node: string): string | undefined {
  return [...plan.clusters].find(([, { members }]) => members.includes(node))?.[0];
}

/** The boundaries of all nodes that are in a cluster. Pure, so that a change can be looked at before it is made. */
export function boundariesOf(plan: Plan, now: number): ReadonlyMap<string, Wanted> {
  const found = new Map<string, Wanted>();
  const running = [...plan.exceptions].filter(([, { until }]) => until === undefined || until > now);
  const named = new Set(
    running.flatMap(([, { from, to }]) =>
      [from, to].flatMap(({ kind, name }) => (kind === 'node' && name ? [name] : [])),
    ),
  );
  const addresses = addressBook(plan);
  for (const [name, cluster] of plan.clusters) {
    // All members have the same boundary, but for those that an exception names: it is put together once, not a thousand times.
    let common: Wanted | undefined;
    for (const node of cluster.members) {
      const own = named.has(node) ? boundaryOf(addresses, running, node, name) : undefined;
      found.set(node, own ?? (common ??= boundaryOf(addresses, running, node, name)));
    }
  }
  return found;
}

type AddressesOf = (side: Side) => readonly string[];

function boundaryOf(
  addressesOf: AddressesOf,
  running: readonly (readonly [string, Exception])[],
  node: string,
  cluster: string,
): Wanted {
  const names: Record<string, readonly string[]> = {};
  const peersOf = (side: Side): readonly string[] => {
    if (side.kind === 'outside') return side.peers ?? [];
    const spelled = `${side.kind}:${side.name}`;
    const addresses = addressesOf(side);
    if (addresses.length === 0) return [];
    names[spelled] = addresses;
    return [spelled];
  };
  const own: Side = { kind: 'cluster', name: cluster };
  const filters: Filter[] = allow(peersOf(own), { note: `cluster ${cluster}` });
  const covers = (side: Side): boolean =>
    (side.kind === 'cluster' && side.name === cluster) || (side.kind === 'node' && side.name === node);
  for (const [id, exception] of running) {
    const { from, to, both } = exception;
    const more = { ...serviceOf(exception), note: `exception ${id}` };
    if (covers(from))
      filters.push(...allow(peersOf(to), { direction: both === 'yes' ? 'both' : 'out', ...more }));
    if (covers(to))
      filters.push(...allow(peersOf(from), { direction: both === 'yes' ? 'both' : 'in', ...more }));
  }
  const set: FilterSet = { otherwise: 'deny', filters };
  return { set, names, digest: filtersDigest(set, names) ?? '' };
}

function allow(peers: readonly string[], rest: Omit<Filter, 'action' | 'peers'>): Filter[] {
  return peers.length === 0 ? [] : [{ action: 'allow', peers, ...rest }];
}

/** The addresses of a node or of a whole cluster, each looked up once. */
function addressBook(plan: Plan): AddressesOf {
  const known = new Map<string, readonly string[]>();
  return ({ kind, name = '' }) => {
    const key = `${kind}:${name}`;
    const found = known.get(key);
    if (found) return found;
    const nodes = kind === 'node' ? [name] : (plan.clusters.get(name)?.members ?? []);
    const made = asRanges(nodes.flatMap((node) => plan.addresses.get(node) ?? []));
    known.set(key, made);
    return made;
  };
}

function serviceOf({ service, protocol, ports }: Exception): Pick<Filter, 'service' | 'protocol' | 'ports'> {
  const numbers = ports?.map((port) => (/^[0-9]+$/.test(port) ? Number(port) : port));
  return {
    ...(service === undefined ? {} : { service }),
    ...(protocol === undefined ? {} : { protocol }),
    ...(numbers === undefined ? {} : { ports: numbers }),
  };
}

/** An exception is checked as the filter it will become, before anything is kept. */
export function checkException(exception: Exception): Result<true> {
  const peers = [exception.from, exception.to].flatMap(({ peers }) => peers ?? []);
  const filter = parseFilter(
    { action: 'allow', peers: ['192.0.2.1', ...peers], ...serviceOf(exception) },
    'exception',
  );
  return filter.ok ? ok(true) : filter;
}

/** Who may talk to whom, cluster by cluster: what a picture or a table is drawn from. */
export interface Talk {
  readonly from: string;
  readonly to: string;
  readonly about: string;
  readonly both: boolean;
  readonly reason: string;
  readonly exception: string | null;
  readonly until: number | null;
}

export function talksOf(plan: Plan, now: number): Talk[] {
  const within = [...plan.clusters.keys()].map((name) => ({
    from: name,
    to: name,
    about: 'everything',
    both: true,
    reason: 'one cluster',
    exception: null,
    until: null,
  }));
  const between = [...plan.exceptions]
    .filter(([, { until }]) => until === undefined || until > now)
    .map(([id, exception]) => ({
      from: sideText(exception.from),
      to: sideText(exception.to),
      about: aboutText(exception),
      both: exception.both === 'yes',
      reason: exception.reason,
      exception: id,
      until: exception.until ?? null,
    }));
  return [...within, ...between];
}

export function sideText(side: Side): string {
  return side.kind === 'outside'
    ? (side.peers ?? []).join(' ')
    : `${side.kind === 'node' ? 'node:' : ''}${side.name}`;
}

function aboutText({ service, protocol, ports }: Exception): string {
  if (service !== undefined) return service;
  if (protocol === undefined) return 'everything';
  return ports ? `${protocol} ${ports.join(' ')}` : protocol;
}
