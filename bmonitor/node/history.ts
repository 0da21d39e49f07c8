import { digestOf } from '../../crypto/bytes.js';
import type { HistoryHead } from '../../protocol/request.js';
import type { Decision, Request } from './decision.js';
import { withEntry } from './history-room.js';
import type { NodeState } from './state.js';

/**
 * The record of a level: one line of JSON an entry, each holding the digest of the line before it, so that none can be taken out, put in or
 * changed without every later one telling. A line is kept and handed out to the letter; its digest is the SHA-256 of those bytes.
 */
export interface HistoryLine {
  readonly level: number;
  readonly lease: string;
  readonly seq: number;
  readonly text: string;
}

export interface Recorded {
  readonly lines: readonly HistoryLine[];
  /** The state with the new heads. */
  readonly state: NodeState;
}

interface Entry {
  readonly by: { readonly level: number; readonly console: string } | { readonly node: string };
  readonly jti?: string;
  readonly command: string;
  readonly sees: 'statement' | 'digest' | 'name';
  readonly statement?: string;
  readonly outcome?: Readonly<Record<string, unknown>>;
}

export interface Recording {
  readonly node: string;
  readonly time_s: number;
}

/** Records a command with everyone whom it touched: its own level and those below with the statement, those above with its digest. */
export function recordCommand(decision: Decision, request: Request, at: Recording): Recorded {
  const base = {
    by: { level: request.level, console: request.console },
    jti: request.jti,
    command: request.command.type,
  };
  const whole: Entry = { ...base, sees: 'statement', statement: request.statement, outcome: decision.result };
  const digest: Entry = { ...base, sees: 'digest', statement: digestOf(request.statement) };
  const entries = new Map<number, Entry>();
  for (let level = 0; level < request.level; level += 1) entries.set(level, digest);
  entries.set(request.level, whole);
  for (const touched of decision.touched)
    entries.set(touched.level, touched.sees === 'statement' ? whole : { ...base, sees: 'name' });
  return append(decision.state, entries, at);
}

/** Records what the node did by itself: with those whom it touched, or with every level when it says nothing of that. */
export function recordOwnAct(decision: Decision, name: string, at: Recording): Recorded {
  const entry: Entry = { by: { node: at.node }, command: name, sees: 'statement', outcome: decision.result };
  const touched = decision.touched.map(({ level }) => level);
  const levels = touched.length > 0 ? touched : decision.state.levels.map((_, level) => level);
  return append(decision.state, new Map(levels.map((level) => [level, entry])), at);
}

function append(state: NodeState, entries: ReadonlyMap<number, Entry>, at: Recording): Recorded {
  const lines: HistoryLine[] = [];
  const levels = state.levels.map((level, index) => {
    const entry = entries.get(index);
    if (!entry) return level;
    const seq = level.history.head.seq + 1;
    const text = JSON.stringify({
      v: 1,
      node: at.node,
      level: index,
      lease: level.lease,
      seq,
      previous: level.history.head.digest,
      time: at.time_s,
      ...entry,
    });
    lines.push({ level: index, lease: level.lease, seq, text });
    const head: HistoryHead = { seq, digest: digestOf(text) };
    const pieces = withEntry(level.history, seq, Buffer.byteLength(text));
    return { ...level, history: { ...level.history, head, pieces } };
  });
  return { lines, state: { ...state, levels: levels as unknown as NodeState['levels'] } };
}

/** Remembers the console's last command that changed something: what `after` is compared with. */
export function markLast(recorded: Recorded, request: Request): Recorded {
  const levels = recorded.state.levels.map((level, at) =>
    at === request.level
      ? {
          ...level,
          roster: level.roster.map((entry) =>
            entry.id === request.console ? { ...entry, last: request.jti } : entry,
          ),
        }
      : level,
  );
  return {
    lines: recorded.lines,
    state: { ...recorded.state, levels: levels as unknown as NodeState['levels'] },
  };
}
