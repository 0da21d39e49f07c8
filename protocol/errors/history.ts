import type { Catalogue } from './entry.js';

/** A history that was exported and does not hold when it is checked offline; `history-fork` stands with the messages. */
export const historyErrors = {
  'history-full': {
    what: 'The history of a level takes all the room that it may.',
    why: 'Every change is recorded, and the disk of the node is not endless; nothing is dropped from a record by itself.',
    todo: 'Export the history, verify and keep the file, then trim what it holds: `nodes history NODE --out FILE`, `nodes trim-history NODE FILE`. Where the history of a level above is full, its holder must do that.',
  },
  'history-broken': {
    what: 'The history does not hold together.',
    why: 'A line was changed, taken out or put in, or is not signed by whom it names.',
    todo: 'Keep the file as it is. Export the history from the node again and compare the line that is named.',
  },
  'history-incomplete': {
    what: 'The end of the history is missing.',
    why: 'More entries were seen before, or signed by the node, than are here.',
    todo: 'Export the history whole. If the node itself gives fewer entries than before, treat it as a fork and keep the evidence.',
  },
} as const satisfies Catalogue;
