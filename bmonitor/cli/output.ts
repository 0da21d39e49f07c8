import { errorEntry } from '../../protocol/errors/index.js';
import type { Refusal } from '../../protocol/result.js';

/** Exit codes of every command: 0 done, 1 refused or not so, 2 the input was bad. */
export const exits = { done: 0, refused: 1, badInput: 2 } as const;

/** How `run` ends by command: whoever started it starts it again, or leaves it. */
export const powerExits = { reboot: 10, 'power-off': 11, suspend: 11 } as const;

/** Says on stderr what happened, why, and what to do; with --json the same for a program, on stdout. */
export function fail(refusal: Refusal, json: boolean, code?: number): never {
  const { what, why, todo } = errorEntry(refusal.code);
  if (json) process.stdout.write(`${JSON.stringify({ error: refusal })}\n`);
  const place = refusal.where === undefined ? '' : ` at ${refusal.where}`;
  const detail = refusal.detail === undefined ? '' : `\n  ${refusal.detail}`;
  process.stderr.write(`${refusal.code}${place}: ${what}${detail}\n  ${why}\n  ${todo}\n`);
  process.exit(code ?? (refusal.code === 'bad-input' ? exits.badInput : exits.refused));
}
