import { errorEntry } from '../../protocol/errors/index.js';
import type { Refusal, Result } from '../../protocol/result.js';

/** A refusal as a person reads it: what, where, why, and what to do now. */
export function refusalText(refusal: Refusal): string {
  const entry = errorEntry(refusal.code);
  const lines = [`${refusal.code}: ${entry.what}`];
  if (refusal.where) lines.push(`  where   ${refusal.where}`);
  if (refusal.detail) lines.push(`  detail  ${refusal.detail}`);
  lines.push(`  why     ${entry.why}`, `  to do   ${entry.todo}`);
  return lines.join('\n');
}

/** What every command line here ends with, where its help says nothing else. */
export const exits = { done: 0, refused: 1, badInput: 2 } as const;

/** Ends the command when something was refused, the reason on stderr. */
export function orExit<T>(result: Result<T>, json = false): T {
  if (result.ok) return result.value;
  console.error(json ? JSON.stringify({ error: result.refusal }) : refusalText(result.refusal));
  process.exit(result.refusal.code === 'bad-input' ? exits.badInput : exits.refused);
}

/** One answer: for a program, or for a person. */
export function say(flags: { readonly json?: boolean | undefined }, answer: object, words: string): void {
  console.log(flags.json ? JSON.stringify(answer) : words);
}

/** Columns as wide as their widest cell. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** How long ago, in the largest unit that says enough. */
export function ago(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 120) return `${s} s ago`;
  if (s < 7200) return `${Math.round(s / 60)} min ago`;
  if (s < 172_800) return `${Math.round(s / 3600)} h ago`;
  return `${Math.round(s / 86_400)} days ago`;
}
