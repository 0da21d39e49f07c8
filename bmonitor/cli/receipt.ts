import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { messageOf } from '../../protocol/log.js';
import { identityOf, parseNodeCard } from '../../protocol/node-card.js';
import { receiptsIn, verifyReceipt, type KeyName, type Receipt } from '../../protocol/receipt.js';
import { refuse, type Result } from '../../protocol/result.js';
import { fail } from './output.js';

export function addReceipt(program: Command): void {
  program
    .command('receipt')
    .description('What nodes have signed about leases and keys.')
    .command('verify')
    .description('Checks receipts of a node. Needs nothing but the files: no node, no network, no secret.')
    .argument('<file>', 'receipts, one a line, or as `receipts.read` gives them')
    .requiredOption('--node <card>', 'the card of the node whose identity key you trust')
    .option('--json', 'print the receipts as JSON')
    .addHelpText('after', '\nExamples:\n  bmonitor receipt verify end-of-lease.jws --node card-0.json\n')
    .action(verify);
}

async function verify(
  file: string,
  flags: { readonly node: string; readonly json?: boolean },
): Promise<void> {
  const json = flags.json === true;
  const card = await contentOf(flags.node);
  if (!card.ok) return fail(card.refusal, json);
  const parsed = parseNodeCard(card.value);
  if (!parsed.ok) return fail({ ...parsed.refusal, where: flags.node }, json);
  const identity = identityOf(parsed.value);
  if (!identity.ok) return fail(identity.refusal, json);
  const content = await contentOf(file);
  if (!content.ok) return fail(content.refusal, json);
  const lines = receiptsIn(content.value);
  if (!lines.ok) return fail({ ...lines.refusal, where: file }, json);
  if (lines.value.length === 0) return fail({ code: 'bad-input', where: file, detail: 'no receipt' }, json);
  const receipts: Receipt[] = [];
  for (const [index, jws] of lines.value.entries()) {
    const receipt = await verifyReceipt(jws, identity.value);
    if (!receipt.ok) return fail({ ...receipt.refusal, where: `${file} receipt ${index + 1}` }, json);
    receipts.push(receipt.value);
  }
  process.stdout.write(json ? `${JSON.stringify({ receipts })}\n` : receipts.map(shown).join('\n'));
}

async function contentOf(file: string): Promise<Result<string>> {
  try {
    return { ok: true, value: await readFile(file, 'utf8') };
  } catch (error) {
    return refuse('bad-input', messageOf(error), { where: file });
  }
}

const acts: Readonly<Record<Receipt['act'], string>> = {
  grant: 'was granted',
  take: 'was taken by its holder',
  extend: 'was extended',
  end: 'has ended',
  transfer: 'is the first of a new holder of the node',
  keys: 'got other keys',
};

const reasons: Readonly<Record<NonNullable<Receipt['reason']>, string>> = {
  ended: 'by a command that named it',
  expired: 'because its time had passed',
  'clock-forced':
    'because of a step of the wall clock that the landlord’s console confirmed, and the machine’s own clock did not',
};

/** For a person: what the signature vouches for, and nothing else. */
function shown(receipt: Receipt): string {
  const { by, until, reason, holder, made, destroyed } = receipt;
  return [
    `good: signed by the identity key ${receipt.node}`,
    `  node ${receipt.name}, change ${receipt.generation}, ${moment(receipt.time)}`,
    `  the lease ${receipt.lease} of level ${receipt.level} ${acts[receipt.act]}${holder === undefined ? '' : `, the console ${holder}`}`,
    reason === undefined ? undefined : `  ${reasons[reason]}`,
    until === undefined ? undefined : `  until ${moment(until)}`,
    by
      ? `  by ${by.command} of level ${by.level}, console ${by.console}`
      : '  by the node itself, without a command',
    ...made.map((key) => `  made      ${keyText(key)}`),
    ...destroyed.map((key) => `  destroyed ${keyText(key)}`),
    receipt.keyStore === 'file'
      ? '  note: this node keeps its keys in a file; whoever had its disk could have signed this, and a copy of the disk may still hold what was destroyed'
      : undefined,
    '',
  ]
    .filter((line) => line !== undefined)
    .join('\n');
}

function keyText(key: KeyName): string {
  return key.id === undefined ? key.kind : `${key.kind} ${key.id}`;
}

function moment(time_s: number): string {
  return new Date(time_s * 1000).toISOString();
}
