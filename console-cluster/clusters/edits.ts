import type { NodeBook } from '../../console/nodes/book.js';
import type { Op } from '../../console/store/port.js';
import { limits } from '../../protocol/limits.js';
import { newId } from '../../protocol/request.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { ClusterBook, Draft } from './book.js';
import { checkException, clusterOf } from './compute.js';
import type { Cluster, Exception, Side } from './record.js';

type Edit = (draft: Draft) => Result<readonly Op[]>;

/** Only nodes that are here, each in one cluster. */
export function checkMembers(
  book: ClusterBook,
  nodes: NodeBook,
  cluster: string,
  members: readonly string[],
): Result<true> {
  const clusters = new Map(
    [...book.plan.clusters].flatMap(([name, { members: of }]) => of.map((node) => [node, name])),
  );
  for (const node of members) {
    const known = nodes.get(node);
    if (!known.ok) return known;
    const other = clusters.get(node);
    if (other !== undefined && other !== cluster)
      return refuse('in-another-cluster', `${node} is in ${other}`);
  }
  return ok(true);
}

export function draftWith(book: ClusterBook, name: string, cluster: Cluster): Edit {
  return ({ clusters }) => {
    if (!clusters.has(name) && clusters.size >= limits.clusters_max) return refuse('too-many', 'clusters');
    clusters.set(name, cluster);
    return ok([book.clusterOps.put(name, cluster)]);
  };
}

export function draftWithout(book: ClusterBook, name: string): Edit {
  return ({ clusters, exceptions }) => {
    if (!clusters.delete(name)) return refuse('not-found', `no cluster ${name}`);
    const of = ({ kind, name: named }: Side): boolean => kind === 'cluster' && named === name;
    const ended = [...exceptions].filter(([, { from, to }]) => of(from) || of(to)).map(([id]) => id);
    for (const id of ended) exceptions.delete(id);
    return ok([book.clusterOps.remove(name), ...ended.map((id) => book.clusterOps.removeException(id))]);
  };
}

/** A node that is no more leaves its cluster, and what was let through to it alone ends. */
export function draftWithoutNode(book: ClusterBook, node: string): Edit {
  return ({ clusters, exceptions }) => {
    const name = clusterOf({ clusters }, node);
    const cluster = name === undefined ? undefined : clusters.get(name);
    const of = ({ kind, name: named }: Side): boolean => kind === 'node' && named === node;
    const ended = [...exceptions].filter(([, { from, to }]) => of(from) || of(to)).map(([id]) => id);
    for (const id of ended) exceptions.delete(id);
    const ops: Op[] = ended.map((id) => book.clusterOps.removeException(id));
    if (name !== undefined && cluster) {
      const left = { ...cluster, members: cluster.members.filter((member) => member !== node) };
      clusters.set(name, left);
      ops.push(book.clusterOps.put(name, left));
    }
    return ok([...ops, book.clusterOps.removeBoundary(node)]);
  };
}

export function exceptionDraft(book: ClusterBook, exception: Exception): Edit {
  return ({ clusters, exceptions }) => {
    if (exceptions.size >= limits.exceptions_max) return refuse('too-many', 'exceptions');
    for (const side of [exception.from, exception.to]) {
      const there = sideIsThere(clusters, side);
      if (!there.ok) return there;
    }
    if (exception.from.kind === 'outside' && exception.to.kind === 'outside')
      return refuse('bad-input', 'one side is a cluster or a node', { where: 'from' });
    const checked = checkException(exception);
    if (!checked.ok) return checked;
    const id = newId();
    exceptions.set(id, exception);
    return ok([book.clusterOps.putException(id, exception)]);
  };
}

export function exceptionEnd(book: ClusterBook, id: string): Edit {
  return ({ exceptions }) =>
    exceptions.delete(id)
      ? ok([book.clusterOps.removeException(id)])
      : refuse('not-found', `no exception ${id}`);
}

function sideIsThere(clusters: ReadonlyMap<string, Cluster>, side: Side): Result<true> {
  const { kind, name, peers } = side;
  if (kind === 'outside')
    return peers && name === undefined ? ok(true) : refuse('bad-input', 'the outside is named by peers');
  if (name === undefined || peers) return refuse('bad-input', `a ${kind} is named by its name`);
  const there = kind === 'cluster' ? clusters.has(name) : clusterOf({ clusters }, name) !== undefined;
  return there
    ? ok(true)
    : refuse('not-found', `no ${kind} ${name}${kind === 'node' ? ' in a cluster' : ''}`);
}
