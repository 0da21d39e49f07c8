import { ok, refuse } from '../../../protocol/result.js';
import { decided, type Decide, type Decision, type Given } from '../decision.js';
import { approvedBy, whoMustApprove } from '../measurement.js';
import type { NodeState } from '../state.js';
import { levelOf } from './consoles.js';
import { range } from './leases.js';

/** A level's word that the machine may be measured so at its next start. With the last one that is needed, the TPM accepts it. */
export const decideApproveMeasurement: Decide<'measurement.approve'> = (
  state,
  { level: index, command },
  given,
) => {
  if (given.measured === undefined) return refuse('nothing-measured');
  if (given.measured === command.digest) return refuse('measured-already');
  const { lease } = levelOf(state, index);
  const needed = whoMustApprove(state);
  if (!needed.includes(lease)) return refuse('no-key', 'a level without a K has no word in what opens it');
  const before = state.approval?.digest === command.digest ? state.approval.by : [];
  if (before.includes(lease)) return refuse('already-there', 'this level has approved it');
  const approval = { digest: command.digest, by: [...before, lease] };
  const next = { ...state, approval };
  const inForce = approvedBy(next) !== undefined;
  return ok(
    decided(next, {
      ...toldToAll(state, 'measurement.approved', { digest: command.digest, lease, inForce }),
      touched: others(state, index),
      loosens: true,
      result: { ...approval, needed, inForce },
    }),
  );
};

export const decideWithdrawMeasurement: Decide<'measurement.withdraw'> = (state, { level: index }) => {
  const { approval, ...rest } = state;
  const { lease } = levelOf(state, index);
  if (!approval) return refuse('not-found', 'nothing is approved');
  if (!whoMustApprove(state).includes(lease)) return refuse('no-key', 'its word was not needed');
  return ok(
    decided(rest, {
      ...toldToAll(state, 'measurement.withdrawn', { digest: approval.digest, lease }),
      touched: others(state, index),
      result: { digest: approval.digest },
    }),
  );
};

/** The first start that measures as was approved: from now on the machine measures so, and no longer as before. */
export function decideMeasured(state: NodeState, given: Given): Decision | undefined {
  const { approval: _, ...rest } = state;
  if (given.measured === undefined || approvedBy(state) !== given.measured) return undefined;
  return decided(
    { ...rest, measuredAs: given.measured },
    {
      ...toldToAll(state, 'measurement.changed', { digest: given.measured }),
      touched: range(state.levels.length).map((level) => ({ level, sees: 'name' as const })),
    },
  );
}

function toldToAll(
  state: NodeState,
  kind: string,
  fields: Readonly<Record<string, string | boolean>>,
): Pick<Decision, 'effects' | 'events'> {
  return {
    effects: [{ kind: 'settle-measurement' }],
    events: [{ to: range(state.levels.length), kind, fields }],
  };
}

function others(state: NodeState, index: number): Decision['touched'] {
  return range(state.levels.length)
    .filter((level) => level !== index)
    .map((level) => ({ level, sees: 'statement' as const }));
}
