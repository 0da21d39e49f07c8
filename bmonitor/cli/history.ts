import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { digestOf } from '../../crypto/bytes.js';
import type { PublicKey } from '../../crypto/rsa.js';
import { parseConsoleCard } from '../../protocol/console-card.js';
import {
  historyIn,
  verifyHistory,
  type ExportedHistory,
  type VerifiedHistory,
} from '../../protocol/history.js';
import { messageOf } from '../../protocol/log.js';
import { identityOf, parseNodeCard } from '../../protocol/node-card.js';
import { historyHead, type HistoryHead } from '../../protocol/request.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { fail } from './output.js';

interface VerifyFlags {
  readonly node: string;
  readonly console?: readonly string[];
  readonly earlier?: readonly string[];
  readonly head?: readonly string[];
  readonly json?: boolean;
}

export function addHistory(program: Command): void {
  program
    .command('history')
    .description('What a level was commanded, as the node recorded it. A console of the level exports it.')
    .command('verify')
    .description('Checks an exported history. Needs nothing but files: no node, no network, no secret.')
    .argument('<file>', 'the lines with the checkpoint, or what `history.read` gave, one page a line')
    .requiredOption('--node <card>', 'the card of the node whose identity key you trust')
    .option(
      '--console <card...>',
      'public cards of consoles; those that they enroll are found in the history',
    )
    .option('--earlier <file...>', 'earlier exports: what they had must still be there')
    .option('--head <seq:digest...>', 'heads that a console saw: they must lie on the history')
    .option('--json', 'print what was found as JSON')
    .addHelpText(
      'after',
      `
Examples:
  bmonitor history verify today.history --node card-0.json --console console.pub.json
  bmonitor history verify today.history --node card-0.json --earlier last-month.history

Exit codes: 0 it holds, 1 it does not, 2 the input cannot be read.
`,
    )
    .action(verify);
}

async function verify(file: string, flags: VerifyFlags): Promise<void> {
  const json = flags.json === true;
  const found = await checked(file, flags);
  if (!found.ok) return fail(found.refusal, json);
  if (!json) return void process.stdout.write(shown(found.value));
  const consoles = found.value.consoles.map(({ id }) => id);
  process.stdout.write(`${JSON.stringify({ history: { ...found.value, consoles } })}\n`);
}

async function checked(file: string, flags: VerifyFlags): Promise<Result<VerifiedHistory>> {
  const identity = await identityIn(flags.node);
  if (!identity.ok) return identity;
  const consoles: PublicKey[] = [];
  for (const card of flags.console ?? []) {
    const key = await consoleIn(card);
    if (!key.ok) return key;
    consoles.push(key.value);
  }
  const seen: HistoryHead[] = [];
  for (const text of flags.head ?? []) {
    const [seq = '', digest = ''] = text.split(':');
    const head = historyHead({ seq: /^\d+$/.test(seq) ? Number(seq) : seq, digest }, '--head');
    if (!head.ok) return head;
    seen.push(head.value);
  }
  for (const earlier of flags.earlier ?? []) {
    const heads = await headsIn(earlier);
    if (!heads.ok) return heads;
    seen.push(...heads.value);
  }
  const exported = await historyOf(file);
  return exported.ok ? verifyHistory(exported.value, { identity: identity.value, consoles, seen }) : exported;
}

async function identityIn(file: string): Promise<Result<PublicKey>> {
  const content = await contentOf(file);
  const card = content.ok ? parseNodeCard(content.value) : content;
  return card.ok ? identityOf(card.value) : card;
}

async function consoleIn(file: string): Promise<Result<PublicKey>> {
  const content = await contentOf(file);
  const card = content.ok ? parseConsoleCard(content.value) : content;
  return card.ok ? ok(card.value.key) : card;
}

async function historyOf(file: string): Promise<Result<ExportedHistory>> {
  const content = await contentOf(file);
  return content.ok ? historyIn(content.value) : content;
}

/** Every line of an earlier export is a head that was seen. */
async function headsIn(file: string): Promise<Result<readonly HistoryHead[]>> {
  const exported = await historyOf(file);
  if (!exported.ok) return exported;
  const heads: HistoryHead[] = [];
  for (const line of exported.value.lines) {
    const seq = Number(/"seq":(\d+)/.exec(line)?.[1]);
    const head = historyHead({ seq, digest: digestOf(line) }, file);
    if (!head.ok) return head;
    heads.push(head.value);
  }
  return ok(heads);
}

async function contentOf(file: string): Promise<Result<string>> {
  try {
    return ok(await readFile(file, 'utf8'));
  } catch (error) {
    return refuse('bad-input', messageOf(error), { where: file });
  }
}

function shown({ lease, level, first, head, statements, checkpoint }: VerifiedHistory): string {
  return [
    `good: entries ${first} to ${head.seq} of level ${level}, lease ${lease}`,
    `  head ${head.seq}:${head.digest}`,
    `  ${statements.good} commands with a good signature`,
    statements.signerUnknown === 0
      ? undefined
      : `  ${statements.signerUnknown} commands of consoles whose key was not given (--console): not checked`,
    checkpoint === undefined
      ? '  no checkpoint: that these lines are the node’s own is not shown'
      : `  the node signed entry ${checkpoint.seq} at ${new Date(checkpoint.time * 1000).toISOString()}`,
    checkpoint !== undefined && checkpoint.seq < head.seq
      ? `  entries after ${checkpoint.seq} are not vouched for by the checkpoint`
      : undefined,
    first > 1 ? `  entries before ${first} were trimmed` : undefined,
    '',
  ]
    .filter((line) => line !== undefined)
    .join('\n');
}
