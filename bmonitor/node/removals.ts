import type { StoreOp } from '../ports/store.js';
import { blockKeys, engineKeys, rootKey, secretKeys } from './places.js';
import type { NodeState } from './state.js';

/** What a change leaves behind: blocks, settings and secrets that no state refers to any more, lines that were trimmed, and the old root. */
export function removalsBetween(
  before: NodeState,
  after: NodeState,
  trimmed: readonly string[],
): readonly StoreOp[] {
  const kept = blockKeys(after);
  const described = engineKeys(after);
  const secrets = secretKeys(after);
  const keys = [
    ...[...blockKeys(before).keys()].filter((key) => !kept.has(key)),
    ...[...engineKeys(before).keys()].filter((key) => !described.has(key)),
    ...[...secretKeys(before)].filter((key) => !secrets.has(key)),
    ...trimmed,
  ];
  return [...keys, rootKey(before.generation)].map((key) => ({ type: 'del', key }));
}
