import { limits } from '../../protocol/limits.js';
import { refuse, ok, type Refusal, type Result } from '../../protocol/result.js';
import type { NodeBook } from '../nodes/book.js';
import { forEach, isAway, takeBack, type Wanted } from './push.js';
import { giveOnTrial, type Trial } from './trial.js';

export interface Target {
  readonly node: string;
  readonly wanted: Wanted;
  readonly expect: number;
}

/**
 * New filters for many nodes, taken by all of them or by none: on trial first, which each node undoes by itself. If one refuses, all
 * go back. Answers what those hold that have it; who is away is not among them.
 */
export async function tryTogether(
  nodes: NodeBook,
  targets: readonly Target[],
): Promise<Result<ReadonlyMap<string, Trial>>> {
  const trials = new Map<string, Trial>();
  const within_s = limits.boundary_trial_s;
  let refused: { node: string; refusal: Refusal } | undefined;
  await forEach(targets, async ({ node, wanted, expect }) => {
    if (refused) return;
    const given = await giveOnTrial(nodes, node, wanted, { expect, within_s });
    if (given.ok) trials.set(node, given.value);
    else if (!isAway(given.refusal)) refused ??= { node, refusal: given.refusal };
  });
  if (!refused) return ok(trials);
  await takeBackTogether(nodes, trials);
  const { node, refusal } = refused;
  return refuse('boundary-refused', `${node}: ${refusal.code} ${refusal.detail ?? ''}`, {
    data: { node, code: refusal.code, ...(refusal.data ? { refusal: refusal.data } : {}) },
  });
}

export async function takeBackTogether(nodes: NodeBook, trials: ReadonlyMap<string, Trial>): Promise<void> {
  await forEach([...trials], async ([node, { version }]) => takeBack(nodes, node, version));
}

/** Answers the nodes that keep it for good. */
export async function keepTogether(trials: ReadonlyMap<string, Trial>): Promise<readonly string[]> {
  const kept: string[] = [];
  await forEach([...trials], async ([node, trial]) => {
    const done = await trial.keep();
    if (done.ok) kept.push(node);
  });
  return kept;
}
