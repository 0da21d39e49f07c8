import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { parseConsoleCard } from '../../protocol/console-card.js';
import { messageOf } from '../../protocol/log.js';
import { refuse, type Result } from '../../protocol/result.js';
import type { ConsoleKey } from '../../protocol/commands.js';
import { configFrom, fileWarning, withConfigOptions, type ConfigFlags } from './config-options.js';
import { fail } from './output.js';

interface InitFlags extends ConfigFlags {
  readonly landlord: string[];
}

export function addInit(program: Command): void {
  const command = program
    .command('init')
    .description(
      'Makes a node: its keys, its first state, and the card by which the landlord’s console knows it.',
    )
    .requiredOption('--landlord <file...>', 'the public card of each console of the landlord');
  withConfigOptions(command)
    .option('--json', 'print the card as JSON')
    .addHelpText(
      'after',
      `
Examples:
  bmonitor init --dir /var/lib/bmonitor --landlord console.pub.json --name web-1 \\
    --listen 10.0.0.7:7443 --interface eth0 \\
    --address 10.0.0.7/24 fd00:7::7/64 --router 10.0.0.1 fe80::1 --console 10.0.0.2 \\
    --engine-address 10.0.0.70 fd00:7::70

Exit codes: 0 it is made, 1 refused, 2 bad input.
`,
    )
    .action(init);
}

async function init(flags: InitFlags): Promise<void> {
  const json = flags.json === true;
  const config = configFrom(flags);
  if (!config.ok) return fail(config.refusal, json);
  const landlord: ConsoleKey[] = [];
  for (const file of flags.landlord) {
    const card = await consoleIn(file);
    if (!card.ok) return fail({ ...card.refusal, where: file }, json);
    landlord.push(card.value);
  }
  const url = flags.url ?? `wss://${flags.listen}`;
  const { initNode } = await import('../main.js');
  const card = await initNode({ folder: flags.dir, config: config.value, landlord, url });
  if (!card.ok) return fail(card.refusal, json);
  if (card.value.keyStore === 'file') process.stderr.write(fileWarning);
  if (json) process.stdout.write(`${JSON.stringify(card.value)}\n`);
  else
    process.stdout.write(
      `made node ${card.value.name} in ${flags.dir}\n` +
        `give ${flags.dir}/card-0.json to the landlord’s console, then: bmonitor run --dir ${flags.dir}\n`,
    );
}

async function consoleIn(file: string): Promise<Result<ConsoleKey>> {
  let content: string;
  try {
    content = await readFile(file, 'utf8');
  } catch (error) {
    return refuse('bad-input', messageOf(error));
  }
  const parsed = parseConsoleCard(content);
  if (!parsed.ok) return parsed;
  const { name, key } = parsed.value.card;
  return { ok: true, value: { name, key, role: 'administrator' } };
}
