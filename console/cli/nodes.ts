import type { Command } from 'commander';
import { parseNodeCard } from '../../protocol/node-card.js';
import { readFileLimited, writeFileWhole } from '../daemon/files.js';
import type { NodeView } from '../nodes/routes.js';
import { nodeStates } from '../nodes/state.js';
import { clientFor } from './client.js';
import { measurementCommand } from './proofs.js';
import { trimCommand } from './history.js';
import { ago, orExit, say, table } from './output.js';

interface Listed {
  readonly now: number;
  readonly nodes: readonly NodeView[];
  readonly total?: number;
}

function listing({ now, nodes, total = nodes.length }: Listed): string {
  if (nodes.length === 0)
    return total === 0
      ? 'no nodes here, or none of that kind; add one with: nodes add CARD'
      : 'no more nodes';
  // Where nodes stand is known to the console of a facility only.
  const placed = nodes.some(({ place }) => place !== null);
  const rows = nodes.map((node) => [
    node.name,
    node.state,
    node.lastSeen === null ? 'never' : ago(now - node.lastSeen),
    `${node.level}`,
    node.id.slice(0, 12),
    ...(placed ? [placeText(node)] : []),
    node.state === 'good' ? '' : (node.trouble?.code ?? ''),
  ]);
  const columns = [
    'NAME',
    'STATE',
    'LAST SEEN',
    'LEVEL',
    'IDENTITY',
    ...(placed ? ['PLACE'] : []),
    'TROUBLE',
  ];
  const more = total > nodes.length ? `\n${nodes.length} of ${total}` : '';
  return `${table(columns, rows)}${more}`;
}

function placeText({ place }: NodeView): string {
  const { room, rack, position, spare = false } = place ?? {};
  return [room, rack, position, spare ? '(spare)' : undefined].filter((part) => part !== undefined).join(' ');
}

export function nodeCommands(program: Command, dirOf: () => string): void {
  const nodes = program.command('nodes').description('the nodes of this console');
  listCommand(nodes, dirOf);
  measurementCommand(nodes, dirOf);

  /** Page by page, as the node gave them, one a line. */
  async function exportHistory(name: string, flags: { out?: string; json?: boolean }): Promise<void> {
    const client = orExit(clientFor(dirOf()), flags.json);
    const path = `/api/v1/nodes/${encodeURIComponent(name)}/history`;
    const pages: string[] = [];
    let entries = 0;
    for (let from = 1; ;) {
      const page = orExit(await client.call('GET', `${path}?from=${from}`), flags.json);
      const { lines = [], head, from: first = from } = page as HistoryPage;
      pages.push(JSON.stringify(page));
      entries += lines.length;
      from = first + lines.length;
      if (lines.length === 0 || from > (head?.seq ?? 0)) break;
    }
    if (flags.out === undefined) return console.log(pages.join('\n'));
    orExit(writeFileWhole(flags.out, `${pages.join('\n')}\n`), flags.json);
    console.log(
      flags.json ? JSON.stringify({ file: flags.out, entries }) : `${entries} entries in ${flags.out}`,
    );
  }

  nodes
    .command('add')
    .argument('<card>', 'the card of the node, as `bmonitor init` wrote it or a hand-over gave it')
    .option('--json', 'print JSON')
    .description('take a node in')
    .addHelpText('after', '\nExample:\n  nodes add ./node-1.card.json')
    .action(async (path: string, flags: { json?: boolean }) => {
      const card = orExit(parseNodeCard(orExit(readFileLimited(path))), flags.json);
      const client = orExit(clientFor(dirOf()), flags.json);
      const added = orExit(await client.call('POST', '/api/v1/nodes', card), flags.json);
      console.log(flags.json ? JSON.stringify(added) : `${card.name} is in, identity ${String(added['id'])}`);
    });
  nodes
    .command('show')
    .argument('<name>')
    .option('--json', 'print JSON')
    .description('everything that is known of one node')
    .action(async (name: string, flags: { json?: boolean }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const node = orExit(await client.call('GET', `/api/v1/nodes/${encodeURIComponent(name)}`), flags.json);
      console.log(JSON.stringify(node, null, flags.json ? 0 : 2));
    });
  nodes
    .command('card')
    .argument('<name>')
    .option('--out <file>', 'where to write it; without it, it is printed')
    .option('--json', 'print JSON')
    .description('the card of a node, for another console of this level: nothing in it is secret')
    .addHelpText('after', '\nExample:\n  nodes card node-1 --out node-1.card.json')
    .action(async (name: string, flags: { out?: string; json?: boolean }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const path = `/api/v1/nodes/${encodeURIComponent(name)}/card`;
      const { card } = orExit(await client.call('GET', path), flags.json);
      const content = `${JSON.stringify(card, null, 2)}\n`;
      if (flags.out === undefined) return say(flags, card as object, content.trimEnd());
      orExit(writeFileWhole(flags.out, content, 0o644), flags.json);
      say(flags, { node: name, file: flags.out }, `${flags.out} is the card of ${name}`);
    });
  nodes
    .command('status')
    .argument('<name>')
    .option('--json', 'print JSON')
    .description('ask a node for its status now, sealed to it and back')
    .action(async (name: string, flags: { json?: boolean }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const path = `/api/v1/nodes/${encodeURIComponent(name)}/status`;
      const { status } = orExit(await client.call('POST', path), flags.json);
      console.log(JSON.stringify(status, null, flags.json ? 0 : 2));
    });
  nodes
    .command('events')
    .argument('<name>')
    .option('--json', 'print JSON')
    .description('the last things that happened on a node, as it told them, and those that it signed')
    .addHelpText('after', '\nExample:\n  nodes events node-1\n  nodes events node-1 --json')
    .action(async (name: string, flags: { json?: boolean }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const path = `/api/v1/nodes/${encodeURIComponent(name)}/events`;
      const answer = orExit(await client.call('GET', path), flags.json);
      if (flags.json) return console.log(JSON.stringify(answer));
      for (const event of answer['events'] as readonly { seq: number; kind: string; fields: object }[])
        console.log(`${event.seq}  ${event.kind}  ${JSON.stringify(event.fields)}`);
      if (answer['gap'] !== null) console.log(`missing: ${JSON.stringify(answer['gap'])}`);
      for (const line of noticeLines(answer as unknown as NoticesShown)) console.log(line);
    });
  nodes
    .command('history')
    .argument('<name>')
    .option('--out <file>', 'where to write it; without it, it is printed')
    .option('--json', 'print JSON')
    .description('export the history of this level, for `bmonitor history verify`')
    .addHelpText('after', '\nExample:\n  nodes history node-1 --out node-1.history')
    .action(exportHistory);
  trimCommand(nodes, dirOf);
  nodes
    .command('remove')
    .argument('<name>')
    .option('--json', 'print JSON')
    .description('forget a node; the node itself is not touched')
    .action(async (name: string, flags: { json?: boolean }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      orExit(await client.call('DELETE', `/api/v1/nodes/${encodeURIComponent(name)}`), flags.json);
      console.log(flags.json ? '{}' : `${name} is forgotten`);
    });
}

interface NoticesShown {
  readonly notices: readonly { time: number; kind: string; fields: object; keyStore: string }[];
  readonly noticesRefused: number;
  readonly noticesMissing: number;
  readonly checkpoint: { readonly seq: number; readonly time: number } | null;
}

/** What the node signed, and what did not hold. */
function noticeLines({ notices, noticesRefused, noticesMissing, checkpoint }: NoticesShown): string[] {
  const at = (ms: number): string => new Date(ms).toISOString();
  return [
    ...notices.map(({ time, kind, fields, keyStore }) => {
      const by = keyStore === 'tpm' ? 'signed' : 'signed (key in a file)';
      return `${by}  ${at(time)}  ${kind}  ${JSON.stringify(fields)}`;
    }),
    ...(checkpoint
      ? [`signed checkpoint: entry ${checkpoint.seq} of the history at ${at(checkpoint.time)}`]
      : []),
    ...(noticesMissing > 0 ? [`missing: ${noticesMissing} signed notices`] : []),
    ...(noticesRefused > 0 ? [`refused: ${noticesRefused} that pretended to be signed notices`] : []),
  ];
}

interface HistoryPage {
  readonly from?: number;
  readonly lines?: readonly string[];
  readonly head?: { readonly seq: number };
}

interface ListFlags {
  readonly json?: boolean;
  readonly watch?: boolean;
  readonly brief?: boolean;
  readonly down?: boolean;
  readonly state?: string;
  readonly name?: string;
  readonly room?: string;
  readonly rack?: string;
  readonly spare?: string;
  readonly sort?: string;
  readonly offset?: string;
  readonly limit?: string;
}

/** A table shows nothing of what makes the list long, so it is not asked for. */
function listPath(flags: ListFlags): string {
  const query = new URLSearchParams();
  for (const name of ['state', 'name', 'room', 'rack', 'spare', 'sort', 'offset', 'limit'] as const) {
    const given = flags[name];
    if (given !== undefined) query.set(name, given);
  }
  if (flags.down) query.set('order', 'down');
  if (flags.brief || !flags.json) query.set('view', 'brief');
  return `/api/v1/nodes${query.size === 0 ? '' : `?${query.toString()}`}`;
}

function listCommand(nodes: Command, dirOf: () => string): void {
  nodes
    .command('list')
    .option('--state <states>', `only those in these states, with commas between: ${nodeStates.join(', ')}`)
    .option('--name <part>', 'only those whose name has this part')
    .option('--room <room>', 'only those in this room')
    .option('--rack <rack>', 'only those in this rack')
    .option('--spare <yes|no>', 'only spares, or only others')
    .option('--sort <by>', 'name, state, lastSeen or place')
    .option('--down', 'the other way round')
    .option('--limit <nodes>', 'so many at most')
    .option('--offset <nodes>', 'leave out so many at the beginning')
    .option('--json', 'print JSON')
    .option('--brief', 'with --json: without the last status, the parts and the last notice of each')
    .option('--watch', 'go on showing changes of all nodes until interrupted')
    .description('the nodes and their state')
    .addHelpText(
      'after',
      '\nExamples:\n  nodes list --state silent,unknown --sort lastSeen\n  nodes list --rack r12 --json --brief',
    )
    .action(async (flags: ListFlags) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      if (!flags.watch) {
        const listed = orExit(await client.call('GET', listPath(flags)), flags.json) as unknown as Listed;
        console.log(flags.json ? JSON.stringify(listed) : listing(listed));
        return;
      }
      const known = new Map<string, NodeView>();
      for await (const event of client.events('/api/v1/nodes-events')) {
        const change = orExit(event, flags.json) as unknown as Listed & { gone: readonly string[] };
        for (const node of change.nodes) known.set(node.name, node);
        for (const name of change.gone) known.delete(name);
        if (flags.json) console.log(JSON.stringify(change));
        else {
          if (process.stdout.isTTY) process.stdout.write('\x1b[H\x1b[2J');
          const all = [...known.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
          console.log(listing({ now: change.now, nodes: all }));
        }
      }
      process.exitCode = 1;
    });
}
