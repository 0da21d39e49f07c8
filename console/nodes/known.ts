import { errorEntry } from '../../protocol/errors/index.js';
import type { HistoryHead } from '../../protocol/request.js';
import type { Refusal } from '../../protocol/result.js';
import type { NodeEvent } from './follower.js';
import type { Questions } from './questions.js';
import type { NodeState } from './state.js';

export interface Known {
  readonly state: NodeState;
  /** Wall clock, of the last sealed answer. */
  readonly lastSeen?: number;
  readonly refusal?: Refusal;
  readonly status?: Readonly<Record<string, unknown>>;
  /** The last things that happened there, oldest first; a gap is what the node itself no longer knew. */
  readonly events?: readonly NodeEvent[];
  readonly gap?: { readonly from: number; readonly to: number };
  /** What the node said unasked, each signed by its identity key; oldest first. */
  readonly notices?: readonly Told[];
  /** Where the history stood when the node last signed that. */
  readonly checkpoint?: HistoryHead & { readonly time: number };
  /** How much pretended to be a notice of this node, or was withheld on the way. */
  readonly noticesRefused?: number;
  readonly noticesMissing?: number;
  /** What became of the questions that were asked of it. */
  readonly questions: Questions;
}

/** What is looked at of every node, without what makes it long. */
export interface LinkOutline {
  readonly state: NodeState;
  readonly lastSeen?: number | undefined;
  readonly questions: Questions;
  readonly refusal?: Refusal | undefined;
}

/** One thing that a notice told, with when it was signed. */
export interface Told {
  readonly time: number;
  readonly kind: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly signed: number;
  readonly keyStore: 'tpm' | 'file';
}

/** A gateway that refuses is named as what it is: its word is not the node's. */
export function whyAway(refusal: Refusal | undefined): string {
  if (!refusal) return 'there is no connection at the moment';
  const { code, detail } = refusal;
  if (code === 'unreachable') return detail ?? 'there is no connection at the moment';
  return `${code}: ${errorEntry(code).what}${detail === undefined ? '' : ` (${detail})`}`;
}
