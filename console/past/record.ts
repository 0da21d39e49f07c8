import { digestText, idText, nameText, publicJwk } from '../../protocol/fields.js';
import { limits } from '../../protocol/limits.js';
import { list, object, oneOf, optional, text, whole, type Parsed } from '../../protocol/parse.js';
import { historyHead } from '../../protocol/request.js';

const seq = whole({ min: 0, max: Number.MAX_SAFE_INTEGER });
const ms = whole({ min: 0, max: 32_503_680_000_000 });

/** Entries that nobody can know any more: the level had them trimmed, or they were before this console's time. */
export const missingForm = object({
  from: seq,
  to: seq,
  why: oneOf('trimmed', 'not-kept'),
  /** The console that commanded it, when its command was among what followed. */
  by: optional(digestText),
  /** When, by the node's clock. */
  time: optional(ms),
});
export type Missing = Parsed<typeof missingForm>;

/** What the node signed that does not fit what it signed before: kept as evidence. */
const forkForm = object({
  at: ms,
  detail: text({ min: 0, max: 2000 }),
  before: optional(text({ max: 8192 })),
  now: optional(text({ max: 8192 })),
});

/** How far this console knows the history of its level on one node. */
export const caughtForm = object({
  node: nameText,
  lease: idText,
  level: whole({ min: 0, max: limits.levels_max - 1 }),
  head: historyHead,
  /** Moment of the console's clock at which that was known. */
  at: ms,
  /** The node's signature under the head. */
  checkpoint: text({ max: 8192 }),
  /** Whose statements can be verified: enrolled by statements that were. */
  consoles: list(publicJwk, { max: limits.consoles_ever_enrolled_max }),
  missing: list(missingForm, { max: limits.past_gaps_kept_max }),
  fork: optional(forkForm),
});
export type Caught = Parsed<typeof caughtForm>;

/** One thing that was commanded or that the node did by itself, as this console keeps it. */
export const happeningForm = object({
  seq,
  time: ms,
  command: text({ max: 100 }),
  by: object({
    console: optional(text({ max: 64 })),
    level: optional(whole({ min: 0, max: limits.levels_max - 1 })),
    node: optional(text({ max: 64 })),
  }),
  /** Whether the command's own signature was checked; `digest`: it is another level's, and only its digest is shown. */
  signed: oneOf('good', 'signer-unknown', 'none'),
  outcome: text({ min: 0, max: limits.past_outcome_chars_max }),
});
export type Happening = Parsed<typeof happeningForm>;

export const chapterForm = object({
  entries: list(happeningForm, { max: limits.history_page_entries_max }),
});

/** When this console was on. `until` of the last one is written again and again while it is. */
export const presenceForm = object({
  times: list(object({ from: ms, until: ms }), { max: limits.past_presences_kept_max }),
});
