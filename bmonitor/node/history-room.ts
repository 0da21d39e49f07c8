import type { Command } from '../../protocol/commands.js';
import { limits } from '../../protocol/limits.js';
import type { Log } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { NodeEvent, Request } from './decision.js';
import type { HistoryMark, HistoryPiece, NodeState } from './state.js';

/**
 * How much disk the history of a level takes, and what happens when it is full. Sizes are kept for pieces of some entries each, so that what a trimming
 * frees is known without reading what it removes; a piece counts whole until its last entry is gone.
 */
export function historyBytes({ pieces = [] }: HistoryMark): number {
  return pieces.reduce((sum, { bytes }) => sum + bytes, 0);
}

export function withEntry({ pieces = [] }: HistoryMark, seq: number, bytes: number): readonly HistoryPiece[] {
  const newest = pieces.at(-1);
  return newest && newest.bytes + bytes <= limits.history_piece_bytes
    ? [...pieces.slice(0, -1), { last: seq, bytes: newest.bytes + bytes }]
    : [...pieces, { last: seq, bytes }];
}

/** Entries before `first` are gone. */
export function trimmedTo(mark: HistoryMark, first: number): HistoryMark {
  const { pieces = [], ...rest } = mark;
  return { ...rest, first, pieces: pieces.filter(({ last }) => last >= first) };
}

/** What makes room, ends something, or closes the node to the outside is never refused for want of it: each is one short entry. */
const always: ReadonlySet<Command['type']> = new Set<Command['type']>([
  'history.trim',
  'lease.end',
  'quarantine',
  'filters.undo',
  'filters.confirm',
  'job.cancel',
]);

/**
 * Is there room for the entries of this command, in the level's own history and in those above it? A level below can fill an upper one's history
 * only up to a part of it, so that it cannot keep the upper one from commanding.
 */
export function roomInHistory(state: NodeState, { level, command }: Request): Result<void> {
  if (always.has(command.type)) return ok(undefined);
  for (let at = level; at >= 0; at -= 1) {
    const mark = state.levels[at]?.history;
    const most = at === level ? limits.history_bytes_max : limits.history_for_lower_bytes_max;
    if (!mark || historyBytes(mark) < most) continue;
    return refuse(
      'history-full',
      at === level ? 'of this level' : `of level ${at}, whose holder must trim it`,
      {
        data: { level: at, bytes: historyBytes(mark), most, first: mark.first, head: mark.head },
      },
    );
  }
  return ok(undefined);
}

/** At what share of its room a level is told, and told again; and what status shows. */
const warnings = [
  { kind: 'history.full', bytes: limits.history_bytes_max },
  { kind: 'history.filling', bytes: limits.history_warned_bytes },
] as const;

/** Told once when a mark is passed, and again after there was room. */
export function historyWarnings(before: NodeState, after: NodeState, log: Log): readonly NodeEvent[] {
  return after.levels.flatMap((level, at): readonly NodeEvent[] => {
    const own = before.levels.find(({ lease }) => lease === level.lease);
    const [was, is] = [own ? historyBytes(own.history) : 0, historyBytes(level.history)];
    const passed = warnings.find(({ bytes }) => was < bytes && is >= bytes);
    if (!passed) return [];
    const fields = { level: at, bytes: is, most: limits.history_bytes_max };
    log.warn(passed.kind, fields);
    return [{ to: [at], kind: passed.kind, fields }];
  });
}

/** For `status`: undefined as long as there is nothing to say. */
export function historyWarning(mark: HistoryMark): string | undefined {
  const bytes = historyBytes(mark);
  if (bytes < limits.history_warned_bytes) return undefined;
  const share = Math.floor((bytes / limits.history_bytes_max) * 100);
  return `the history of this level takes ${share} % of its room: export it, keep the file, and trim it`;
}

/** How much of its room on the disk a record takes. */
export function historyFacts(mark: HistoryMark): Readonly<Record<string, number>> {
  const { first, head } = mark;
  return { first, last: head.seq, bytes: historyBytes(mark), bytesMax: limits.history_bytes_max };
}
