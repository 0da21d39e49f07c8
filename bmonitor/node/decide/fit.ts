import { ok, refuse, type Result } from '../../../protocol/result.js';
import type { NormalSet } from '../../filters/model.js';
import type { NodeState } from '../state.js';

/** A lower level's filters lie within what the levels above let through together, or are refused with a packet that shows why. */
export function fitsAbove(_state: NodeState, at: number, inner: NormalSet): Result<void> {
  if (at === 0) return ok(undefined);
  const index = inner.filters.findIndex((filter) => filter.action === 'allow');
  return index === -1
    ? ok(undefined)
    : refuse('bad-input', 'only deny filters fit for certain', { where: `command.set.filters[${index}]` });
}
