import { InvalidArgumentError, type Command } from 'commander';
import type { PastEntry, PastState } from '../past/routes.js';
import { clientFor } from './client.js';
import { orExit, table } from './output.js';

interface Flags {
  readonly since?: number;
  readonly last?: number;
  readonly kept?: boolean;
  readonly json?: boolean;
}

interface Past {
  readonly now: number;
  readonly away: readonly { readonly from: number; readonly until: number }[];
  readonly nodes: readonly PastState[];
  readonly entries: readonly PastEntry[];
  readonly more: boolean;
}

const units: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A date, or a time back from now. Answers a moment. */
function sinceFrom(text: string): number {
  const [, amount, unit] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  const back = unit === undefined ? undefined : units[unit];
  const moment = back === undefined ? Date.parse(text) : Date.now() - Number(amount) * back;
  if (!Number.isFinite(moment) || moment < 0)
    throw new InvalidArgumentError('A time back from now (7d, 12h, 30m), or a date (2026-11-14).');
  return moment;
}

export function pastCommand(program: Command, dirOf: () => string): void {
  program
    .command('history')
    .argument('[targets...]', 'nodes, or group:NAME; without any, all nodes')
    .option('--since <time>', 'only what happened since: 7d, 12h, 30m, or a date', sinceFrom)
    .option('--kept', 'only what this console has fetched before; nodes are not asked')
    .option('--json', 'print JSON')
    .description(
      'what happened on the nodes, fetched from their histories and verified, also while this console was off',
    )
    .addHelpText(
      'after',
      `
Each entry follows on the ones that this console knew before, up to where the node signed that its history ends. What cannot be known is said:
entries that were trimmed, nodes that do not answer, histories that are not the ones that were seen before.

Examples:
  history --since 7d
  history node-1 group:web --since 2026-11-14 --json

Exit codes: 0 all of it is known, 1 something is not.
`,
    )
    .action(async (targets: readonly string[], flags: Flags) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const named = targets.length === 0 ? undefined : targets.join(',');
      if (!flags.kept)
        orExit(
          await client.call('POST', '/api/v1/past', named === undefined ? {} : { targets: named }),
          flags.json,
        );
      const query = [
        ...(named === undefined ? [] : [`targets=${encodeURIComponent(named)}`]),
        ...(flags.since === undefined ? [] : [`since_ms=${flags.since}`]),
      ].join('&');
      const past = orExit(await client.call('GET', `/api/v1/past?${query}`), flags.json) as unknown as Past;
      console.log(flags.json ? JSON.stringify(past) : pastText(past, flags.since ?? 0));
      if (past.nodes.some((node) => !isKnown(node, flags.since ?? 0))) process.exitCode = 1;
    });
}

function isKnown({ trouble, fork, missing, at }: PastState, since: number): boolean {
  const gaps = missing.filter(({ time }) => (time ?? Infinity) >= since);
  return trouble === null && fork === null && at !== null && gaps.length === 0;
}

const at = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')}Z`;

function pastText({ away, entries, nodes, more }: Past, since: number): string {
  const lines = away
    .filter(({ until }) => until >= since)
    .map(({ from, until }) => `this console was off from ${at(from)} to ${at(until)}`);
  if (more) lines.push('older entries are not shown: name fewer nodes, or a later --since');
  if (entries.length > 0) {
    const rows = entries.map(({ node, seq, time, command, by, level, signed, outcome }) => [
      at(time),
      node,
      `${seq}`,
      command,
      level === null ? 'the node itself' : `level ${level} ${by.slice(0, 12)}`,
      signed === 'good' ? 'good' : signed === 'none' ? '-' : 'not known',
      outcome.length > 60 ? `${outcome.slice(0, 57)}...` : outcome,
    ]);
    lines.push(table(['TIME', 'NODE', 'ENTRY', 'COMMAND', 'BY', 'SIGNATURE', 'OUTCOME'], rows));
  } else lines.push('nothing happened that is known of');
  return [...lines, ...nodes.flatMap((node) => unknownOf(node, since))].join('\n');
}

/** What is not known of a node, and why. */
export function unknownOf({ node, at: until, head, missing, fork, trouble }: PastState, since = 0): string[] {
  return [
    ...(fork
      ? [
          `${node}: NOT THE HISTORY THAT WAS SEEN BEFORE, found ${at(fork.at)}: the node was put back or its history rewritten; ${fork.detail}`,
          `  what the node signed before: ${fork.before ?? 'nothing'}`,
          `  what it signs now:           ${fork.now ?? 'nothing; it said so itself'}`,
        ]
      : []),
    ...missing
      .filter(({ time }) => (time ?? Infinity) >= since)
      .map(({ from, to, why, by, time }) =>
        why === 'trimmed'
          ? `${node}: entries ${from} to ${to} can no longer be known: ${by === null ? 'they were trimmed' : `trimmed by the console ${by}${time === null ? '' : ` at ${at(time)}`}`}`
          : `${node}: entries ${from} to ${to} are no longer kept here`,
      ),
    ...(trouble
      ? [
          until === null
            ? `${node}: nothing is known of it: ${trouble.code} ${trouble.detail}`.trimEnd()
            : `${node}: unknown since ${at(until)} (entry ${head}): ${trouble.code} ${trouble.detail}`.trimEnd(),
        ]
      : []),
  ];
}
