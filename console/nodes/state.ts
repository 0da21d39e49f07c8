import type { ErrorCode } from '../../protocol/errors/index.js';

/**
 * What a console says of a node. Only a reply whose seal was opened makes a node good, and only for a while:
 *
 *     unknown ──dial──▶ connecting ──sealed answer──▶ good ──answer late, or connection lost──▶ silent
 *        ▲                  │                          ▲                                          │
 *        │                  └──refused by the node──▶ refused ──sealed answer────────────────────▶│
 *        └─────────────────────────────── nothing heard for the time set ◀────────────────────────┘
 */
export const nodeStates = ['unknown', 'connecting', 'good', 'silent', 'refused'] as const;
export type NodeState = (typeof nodeStates)[number];

/** What was observed, with the moments of a clock that does not jump. */
export interface Facts {
  readonly dialling: boolean;
  readonly connected: boolean;
  /** The last sealed answer. */
  readonly heard?: number;
  /** The last refusal by the node or the way to it. */
  readonly refused?: { readonly at: number; readonly code: ErrorCode };
}

export interface Patience {
  /** An answer older than this is late. */
  readonly late_ms: number;
  /** Nothing heard for longer than this, and nothing is known. */
  readonly unknown_ms: number;
}

/** The state follows from what was observed and from the time alone, so silence cannot be taken for health. */
export function stateAt(facts: Facts, patience: Patience, now: number): NodeState {
  const age = facts.heard === undefined ? Infinity : now - facts.heard;
  if (facts.refused && facts.refused.at >= (facts.heard ?? -Infinity)) {
    return now - facts.refused.at <= patience.unknown_ms ? 'refused' : 'unknown';
  }
  if (age <= patience.late_ms && facts.connected) return 'good';
  if (age <= patience.unknown_ms) return 'silent';
  return facts.dialling || facts.connected ? 'connecting' : 'unknown';
}

/** When the state will change by itself, if nothing more is heard. */
export function nextChange(facts: Facts, patience: Patience, now: number): number | undefined {
  const moments = [
    facts.heard === undefined ? undefined : facts.heard + patience.late_ms,
    facts.heard === undefined ? undefined : facts.heard + patience.unknown_ms,
    facts.refused === undefined ? undefined : facts.refused.at + patience.unknown_ms,
  ].filter((moment): moment is number => moment !== undefined && moment >= now);
  return moments.length === 0 ? undefined : Math.min(...moments) + 1;
}
