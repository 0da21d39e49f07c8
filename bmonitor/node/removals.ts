import type { Store, StoreOp } from '../ports/store.js';
import { blockKeys, engineKeys, gatedRooms, homeOf, leaseRooms, rootKey, secretKeys } from './places.js';
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

/** What lies in the rooms of leases that ended, and in the places of data keys that were replaced. */
export async function leftOver(
  store: Store,
  before: NodeState,
  after: NodeState,
): Promise<readonly StoreOp[]> {
  const ended = before.levels.filter((level) => !after.levels.some((one) => one.lease === level.lease));
  const places = ended.flatMap(({ lease }) => leaseRooms.map((room) => `${room}/${lease}/`));
  for (const { lease } of after.levels) {
    const [left, now] = [homeOf(before, lease), homeOf(after, lease)];
    if (left !== undefined && left !== now) places.push(...gatedRooms.map((room) => `${room}/${left}/`));
  }
  const ops: StoreOp[] = [];
  for (const place of places) for await (const [key] of store.entries(place)) ops.push({ type: 'del', key });
  return ops;
}
