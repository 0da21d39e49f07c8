import type { NodeBook } from '../../console/nodes/book.js';
import { ok, type Result } from '../../protocol/result.js';

import { isReached } from '../../console/nodes/state.js';
import type { Ledger } from './ledger.js';
import {
  give,
  isAway,
  keep,
  pendingIn,
  readBack,
  takeBack,
  versionIn,
  type Wanted,
} from '../../console/filters/push.js';
import type { Boundary } from './record.js';

export interface SettleParts {
  readonly nodes: NodeBook;
  readonly ledger: Ledger;
  readonly now: () => number;
}

/** What the node last said stands there. Whoever changes it in between is noticed by the node. */
export function expectedVersion({ nodes, ledger }: SettleParts, node: string): number {
  const known = nodes.get(node);
  const said = known.ok ? versionIn(known.value) : undefined;
  return Math.max(said ?? 0, ledger.boundaries.get(node)?.taken?.version ?? 0);
}

/** Gives a node what it should have, whatever stands there now. */
export async function pushTo(parts: SettleParts, node: string, wanted: Wanted): Promise<Result<Boundary>> {
  const { nodes, ledger } = parts;
  const given = await give(nodes, node, wanted, { expect: expectedVersion(parts, node) });
  const since = parts.now();
  const { digest } = wanted;
  if (given.ok) {
    const next: Boundary = {
      wanted: digest,
      state: 'in-step',
      taken: { digest, version: given.value },
      since,
    };
    await ledger.note(node, next);
    return ok(next);
  }
  const { code, detail } = given.refusal;
  const state = isAway(given.refusal) || code === 'change-pending' ? 'behind' : 'refused';
  const trouble = { code, ...(detail === undefined ? {} : { detail: detail.slice(0, 400) }) };
  const taken = ledger.boundaries.get(node)?.taken;
  await ledger.note(node, { wanted: digest, state, ...(taken ? { taken } : {}), trouble, since });
  return given;
}

/** Compares what a node says with what it should have, and does what is to be done about it. */
export async function settle(parts: SettleParts, node: string, wanted: Wanted): Promise<void> {
  const { nodes, ledger } = parts;
  const known = nodes.get(node);
  const before = ledger.boundaries.get(node);
  if (!known.ok || !before) return;
  const { taken } = before;
  const version = isReached(known.value.state) ? versionIn(known.value) : undefined;
  const inPlace = taken?.digest === wanted.digest && before.state === 'in-step';
  if (inPlace && (version === undefined || version === taken.version)) return;
  const since = parts.now();
  if (version === undefined) {
    const state = before.state === 'drifted' ? 'drifted' : 'behind';
    return ledger.note(node, { ...before, wanted: wanted.digest, state, since });
  }
  const pending = pendingIn(known.value);
  if (pending !== undefined && (await decideLate(parts, node, pending, wanted))) return;
  if (taken && version !== taken.version) {
    const stands = await readBack(nodes, node);
    if (!stands.ok) return;
    const { digest } = stands.value;
    // Another version with the same content: a trial that was taken back. Another content was put there by somebody else:
    // that is shown, and left to a person.
    if (digest === undefined || (digest !== taken.digest && digest !== wanted.digest))
      return ledger.note(node, { ...before, wanted: wanted.digest, state: 'drifted', since });
    const state = digest === wanted.digest ? 'in-step' : 'behind';
    const now = { digest, version: stands.value.version };
    await ledger.note(node, { wanted: wanted.digest, state, taken: now, since });
    if (state === 'in-step') return;
  }
  await pushTo(parts, node, wanted);
}

/** A trial that a dead console left: kept when it was decided, taken back when it was not. Somebody else's waits on. */
async function decideLate(
  parts: SettleParts,
  node: string,
  pending: number,
  wanted: Wanted,
): Promise<boolean> {
  const { nodes, ledger } = parts;
  const stands = await readBack(nodes, node);
  if (!stands.ok || stands.value.version !== pending) return true;
  const decided = stands.value.digest === wanted.digest;
  if (!decided && !ledger.interrupted.has(node)) return false;
  const done = decided ? await keep(nodes, node, pending) : await takeBack(nodes, node, pending);
  if (!done.ok) return true;
  ledger.interrupted.delete(node);
  if (decided) {
    const taken = { digest: wanted.digest, version: pending };
    await ledger.note(node, { wanted: wanted.digest, state: 'in-step', taken, since: parts.now() });
  }
  return true;
}
