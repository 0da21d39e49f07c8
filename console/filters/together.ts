import { limits } from '../../protocol/limits.js';
import { refuse, ok, type Refusal, type Result } from '../../protocol/result.js';
import type { NodeBook } from '../nodes/book.js';
import { forEach, give, isAway, keep, takeBack, type Wanted } from './push.js';

export interface Target {
  readonly node: string;
  readonly wanted: Wanted;
  readonly expect: number;
}

/**
 * New filters for many nodes, taken by all of them or by none: on trial first, which each node undoes by itself. If one refuses, all
 * go back. Answers the versions of those that have it; who is away is not among them.
 */
export async function tryTogether(
  nodes: NodeBook,
  targets: readonly Target[],
): Promise<Result<ReadonlyMap<string, number>>> {
  const versions = new Map<string, number>();
  const within_s = limits.boundary_trial_s;
  let refused: { node: string; refusal: Refusal } | undefined;
  await forEach(targets, async ({ node, wanted, expect }) => {
    if (refused) return;
    const given = await give(nodes, node, wanted, { expect, within_s });
    if (given.ok) versions.set(node, given.value);
    else if (!isAway(given.refusal)) refused ??= { node, refusal: given.refusal };
  });
  if (!refused) return ok(versions);
  await takeBackTogether(nodes, versions);
  const { node, refusal } = refused;
  return refuse('boundary-refused', `${node}: ${refusal.code} ${refusal.detail ?? ''}`, {
    data: { node, code: refusal.code, ...(refusal.data ? { refusal: refusal.data } : {}) },
  });
}

export async function takeBackTogether(
  nodes: NodeBook,
  versions: ReadonlyMap<string, number>,
): Promise<void> {
  await forEach([...versions], async ([node, version]) => takeBack(nodes, node, version));
}

/** Answers the nodes that keep it for good. */
export async function keepTogether(
  nodes: NodeBook,
  versions: ReadonlyMap<string, number>,
): Promise<readonly string[]> {
  const kept: string[] = [];
  await forEach([...versions], async ([node, version]) => {
    const done = await keep(nodes, node, version);
    if (done.ok) kept.push(node);
  });
  return kept;
}
