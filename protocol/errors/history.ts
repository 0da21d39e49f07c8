import type { Catalogue } from './entry.js';

/** A history that was exported and does not hold when it is checked offline; `history-fork` stands with the messages. */
export const historyErrors = {
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
