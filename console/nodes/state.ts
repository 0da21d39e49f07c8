import type { ErrorCode } from '../../protocol/errors/index.js';

/**
 * What a console says of a node. Only a right answer makes a node good, and only for a while:
 *
 *     unknown ──dial──▶ connecting ──right answer──▶ good ◀──right answer, in time── late, wrong
 *        ▲                  │                         │ └──an answer takes too long──▶ late
 *        │                  │                         │ └──an answer is wrong────────▶ wrong
 *        │                  └──refused by the node──▶ refused ──answer──▶ good
 *        │                                            │
 *        └──nothing for longer── silent ◀──nothing heard for the time set, or connection lost (from good, late, wrong)
 *
 * Heartbeats keep a node from being silent, and nothing else: one that beats and does not answer is late.
 */
export const nodeStates = ['unknown', 'connecting', 'good', 'late', 'wrong', 'silent', 'refused'] as const;
export type NodeState = (typeof nodeStates)[number];

/** Can it be commanded now? One that answers late can. */
export function isReached(state: NodeState): boolean {
  return state === 'good' || state === 'late';
}

/** What was observed, with the moments of a clock that does not jump. */
export interface Facts {
  readonly dialling: boolean;
  readonly connected: boolean;
  /** The last thing under the node's seal: an answer, a heartbeat, an event. */
  readonly heard?: number;
  /** The last refusal by the node or the way to it. */
  readonly refused?: { readonly at: number; readonly code: ErrorCode };
  /** Since when an answer is waited for. */
  readonly asked?: number | undefined;
  /** How long the last right answer took. */
  readonly took_ms?: number;
  /** On this connection nothing was answered yet, whatever it said before. */
  readonly unproven?: boolean;
  /** The last answer was wrong. */
  readonly wrong?: boolean;
}

export interface Patience {
  /** An answer that takes longer is late. */
  readonly answer_ms: number;
  /** Nothing heard for longer than this, and the node is silent. */
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
  if (age <= patience.late_ms && facts.connected) {
    if (facts.wrong === true) return 'wrong';
    const waited_ms = facts.asked === undefined ? 0 : now - facts.asked;
    const took_ms = facts.unproven === true ? waited_ms : Math.max(facts.took_ms ?? 0, waited_ms);
    if (took_ms > patience.answer_ms) return 'late';
    return facts.unproven === true ? 'connecting' : 'good';
  }
  if (age <= patience.unknown_ms) return 'silent';
  // One that was heard once and is not heard now is unknown, however hard it is tried to reach it.
  const trying = facts.dialling || facts.connected;
  return trying && facts.heard === undefined ? 'connecting' : 'unknown';
}

/** When the state will change by itself, if nothing more is heard. Nothing is made for it: it is asked for every node as often as its heart beats. */
export function nextChange(facts: Facts, patience: Patience, now: number): number | undefined {
  const { heard = -Infinity, refused, asked = -Infinity } = facts;
  const { late_ms, unknown_ms, answer_ms } = patience;
  const next = Math.min(
    ahead(heard + late_ms, now),
    ahead(heard + unknown_ms, now),
    ahead(refused === undefined ? -Infinity : refused.at + unknown_ms, now),
    ahead(asked + answer_ms, now),
  );
  return next === Infinity ? undefined : next + 1;
}

/** What is over by now changes nothing any more. */
function ahead(moment: number, now: number): number {
  return moment >= now ? moment : Infinity;
}
