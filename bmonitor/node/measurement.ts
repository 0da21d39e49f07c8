import type { Measured } from '../ports/root-store.js';
import type { Decision } from './decision.js';
import type { NodeState } from './state.js';

/**
 * How the levels approve that the machine will be measured otherwise, after an update of what is measured at boot:
 *
 *   (none) ── measurement.approve by one ──► proposed ── by every level that has a K ──► in force ── a start that measures so ──► (none)
 *      ▲                                        │                                            │
 *      └─── withdrawn, another one proposed, or any lease, K or roster changed ──────────────┘
 *
 * While it is in force the TPM gives its secrets to the present measurement and to that one; at all other times to one only.
 */
export interface Approval {
  readonly digest: string;
  /** The leases whose level gave its word. */
  readonly by: readonly string[];
}

/** Who must approve: the landlord, and every level that has a K. */
export function whoMustApprove({ levels }: NodeState): readonly string[] {
  return levels
    .filter((level, index) => index === 0 || level.symmetric !== undefined)
    .map(({ lease }) => lease);
}

/** The measurement that every level approved, if there is one. */
export function approvedBy(state: NodeState): string | undefined {
  const { approval } = state;
  return approval && whoMustApprove(state).every((lease) => approval.by.includes(lease))
    ? approval.digest
    : undefined;
}

/** May a machine that measured this go on with this state? The TPM asked before; a crash may have left it a step behind the state. */
export function mayGoOn(state: NodeState, measured: Measured | undefined): boolean {
  return (
    !measured?.asApproved || measured.digest === approvedBy(state) || measured.digest === state.measuredAs
  );
}

/** What `measurement.read` answers. */
export function measurementFacts(
  state: NodeState,
  measured: Measured | undefined,
): Readonly<Record<string, unknown>> {
  const { approval } = state;
  return {
    ...(measured ? { measured: measured.digest } : {}),
    needed: whoMustApprove(state),
    ...(approval ? { approval: { ...approval, inForce: approvedBy(state) !== undefined } } : {}),
  };
}

/** Words that were given while other leases, keys or consoles were there are no words for what is there now. */
export function withoutStaleApproval(before: NodeState, decision: Decision): Decision {
  const { approval, ...rest } = decision.state;
  if (!approval || holdings(before) === holdings(decision.state)) return decision;
  const everyone = rest.levels.map((_, level) => level);
  return {
    ...decision,
    state: rest,
    effects: [...decision.effects, { kind: 'settle-measurement' }],
    events: [
      ...decision.events,
      { to: everyone, kind: 'measurement.void', fields: { digest: approval.digest } },
    ],
  };
}

function holdings({ levels }: NodeState): string {
  return JSON.stringify(
    levels.map(({ lease, status, term, rights, symmetric, roster }) => [
      lease,
      status,
      term ?? null,
      rights,
      symmetric ?? null,
      roster.map(({ id, role, nodes }) => [id, role, nodes ?? null]),
    ]),
  );
}
