import type { Command } from 'commander';
import { parseConsoleCard } from '../../protocol/console-card.js';
import type { Result } from '../../protocol/result.js';
import { readFileLimited } from '../daemon/files.js';
import { clientFor, type ApiClient } from './client.js';
import { orExit, table } from './output.js';

interface Json {
  readonly json?: boolean;
}

interface Shown {
  readonly consoles: readonly { id: string; name: string; role: string; nodes?: readonly string[] }[];
  readonly everEnrolled: readonly string[];
  readonly labels: readonly string[];
}

type Answer = Readonly<Record<string, unknown>>;

const pathOf = (node: string, rest = ''): string => `/api/v1/nodes/${encodeURIComponent(node)}/roster${rest}`;

/** The consoles that speak for this level, on one node or on many. Each node is asked for itself, and what each said is shown. */
export function rosterCommands(program: Command, dirOf: () => string): void {
  const roster = program.command('roster').description('which consoles speak for this level on the nodes');
  const clientOf = (json?: boolean): ApiClient => orExit(clientFor(dirOf()), json);
  showCommand(roster, clientOf);
  roster
    .command('add')
    .argument('<card>', 'the card of the console, as its `init` wrote it')
    .argument('<node...>')
    .option('--role <role>', 'how far its key reaches: administrator, operator or developer', 'operator')
    .option('--only <label>', 'only on nodes with this label (repeatable: with all of them)', collect, [])
    .option('--json', 'print JSON')
    .description('enrol one more console; compare its thumbprint by another way first')
    .addHelpText(
      'after',
      `
Examples:
  roster add ./ana.pub.json node-1 node-2 --role operator
  roster label node-1 --label test
  roster add ./dev.pub.json node-1 node-2 node-3 --role developer --only test

A key with --only speaks on none of the nodes that this level did not label so. Labels can be given and taken later, and take
hold at once.

Exit codes: 0 done on every node, 1 refused by one at least, 2 bad input.`,
    )
    .action(async (path: string, nodes: string[], flags: Json & { role: string; only: string[] }) => {
      const { card, key } = orExit(parseConsoleCard(orExit(readFileLimited(path), flags.json)), flags.json);
      const client = clientOf(flags.json);
      const body = { card, role: flags.role, ...(flags.only.length === 0 ? {} : { nodes: flags.only }) };
      const where = flags.only.length === 0 ? '' : `, where labelled ${flags.only.join(' and ')}`;
      await each(nodes, flags, `${card.name} ${key.id} speaks as ${flags.role}${where}`, (node) =>
        client.call('POST', pathOf(node, '/consoles'), body),
      );
    });
  roster
    .command('remove')
    .argument('<key>', 'the thumbprint of its key, as `roster show` prints it')
    .argument('<node...>')
    .option('--json', 'print JSON')
    .description('take a console out; what it has open is cut')
    .addHelpText(
      'after',
      '\nExample:\n  roster remove 3q2-796tvu_erb7v3q2-796tvu_erb7v3q2-796tvu8 node-1 node-2\n\nExit codes: 0 done on every node, 1 refused by one at least, 2 bad input.',
    )
    .action(async (key: string, nodes: string[], flags: Json) => {
      const client = clientOf(flags.json);
      await each(nodes, flags, `${key} speaks no more`, (node) =>
        client.call('DELETE', pathOf(node, `/consoles/${encodeURIComponent(key)}`)),
      );
    });
  roster
    .command('label')
    .argument('<node...>')
    .option(
      '--label <label>',
      'a word by which this level knows the nodes (repeatable); none: no label',
      collect,
      [],
    )
    .option('--json', 'print JSON')
    .description('say by which labels this level knows nodes: they have these and no others then')
    .addHelpText(
      'after',
      '\nExamples:\n  roster label node-1 node-2 --label test --label eu\n  roster label node-1\n\nExit codes: 0 done on every node, 1 refused by one at least, 2 bad input.',
    )
    .action(async (nodes: string[], flags: Json & { label: string[] }) => {
      const client = clientOf(flags.json);
      const done = flags.label.length === 0 ? 'has no label' : `is labelled ${flags.label.join(', ')}`;
      await each(nodes, flags, done, (node) =>
        client.call('PUT', pathOf(node, '/labels'), { labels: flags.label }),
      );
    });
}

function showCommand(roster: Command, clientOf: (json?: boolean) => ApiClient): void {
  roster
    .command('show')
    .argument('<node>')
    .option('--json', 'print JSON')
    .description(
      'the consoles of this level on a node, to which nodes they are limited, and the node’s labels',
    )
    .addHelpText('after', '\nExample:\n  roster show node-1')
    .action(async (node: string, flags: Json) => {
      const read = orExit(await clientOf(flags.json).call('GET', pathOf(node)), flags.json);
      console.log(flags.json ? JSON.stringify(read) : shown(node, read as unknown as Shown));
    });
}

function shown(node: string, { consoles, everEnrolled, labels }: Shown): string {
  const rows = consoles.map(({ id, name, role, nodes }) => [
    name,
    role,
    nodes ? nodes.join(' and ') : 'every node',
    id,
  ]);
  const gone = everEnrolled.filter((id) => !consoles.some((one) => one.id === id));
  return [
    `${node}: ${labels.length === 0 ? 'no labels' : `labels ${labels.join(', ')}`}`,
    table(['CONSOLE', 'ROLE', 'WHERE', 'KEY'], rows),
    ...gone.map((id) => `enrolled before, and not any more: ${id}`),
  ].join('\n');
}

/** One node that refuses holds up no other. */
async function each(
  nodes: readonly string[],
  { json }: Json,
  done: string,
  ask: (node: string) => Promise<Result<Answer>>,
): Promise<void> {
  const answers: Record<string, unknown>[] = [];
  for (const node of nodes) {
    const answer = await ask(node);
    answers.push(answer.ok ? { node, ...answer.value } : { node, error: answer.refusal });
    if (!answer.ok) process.exitCode = 1;
    if (json) continue;
    const { code, detail } = answer.ok ? { code: '', detail: undefined } : answer.refusal;
    console.log(`${node}: ${answer.ok ? done : `${code}${detail === undefined ? '' : `: ${detail}`}`}`);
  }
  if (json) console.log(JSON.stringify({ nodes: answers }));
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}
