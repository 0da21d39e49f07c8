import type { Command } from 'commander';
import { limits } from '../../protocol/limits.js';
import { parseJson } from '../../protocol/json.js';
import { readFileLimited } from '../daemon/files.js';
import { clientFor, type ApiClient } from './client.js';
import { orExit, table } from './output.js';

interface Json {
  readonly json?: boolean;
}
interface ChangeFlags extends Json {
  readonly names?: string;
  readonly expect?: string;
  readonly confirmWithin?: string;
}
type Answer = Readonly<Record<string, unknown>>;

function pathOf(node: string, rest = ''): string {
  return `/api/v1/nodes/${encodeURIComponent(node)}/filters${rest}`;
}

function fileJson(file: string, json?: boolean): unknown {
  return orExit(parseJson(orExit(readFileLimited(file), json)), json);
}

/** Single filters that come and go, and what a node's kernel says of those that stand. */
export function actFilterCommands(filters: Command, dirOf: () => string): void {
  changing(filters.command('add').argument('<node>').argument('<file>', 'a filter, or a list of filters'))
    .option('--names <file>', 'what all names in the set stand for; without it, what they stood for')
    .description('add filters to those of the node')
    .addHelpText('after', '\nExample:\n  filters add node-1 ./web.json --confirm-within 30')
    .action((node: string, file: string, flags: ChangeFlags) => {
      const given = fileJson(file, flags.json);
      const add = Array.isArray(given) ? given : [given];
      return change(dirOf(), node, { add, remove: [] }, flags);
    });
  changing(
    filters
      .command('remove')
      .argument('<node>')
      .argument('<index...>', 'as `filters show` counts them, from 0'),
  )
    .description('take filters of the node away')
    .addHelpText('after', '\nExample:\n  filters remove node-1 3 4')
    .action((node: string, indexes: readonly string[], flags: ChangeFlags) =>
      change(dirOf(), node, { add: [], remove: indexes.map(Number) }, flags),
    );
  filters
    .command('counters')
    .argument('<node>')
    .option('--json', 'print JSON')
    .description('what the kernel of the node counted of each filter')
    .addHelpText(
      'after',
      '\nA connection is judged when it begins, and once more after each change that could refuse it.\n\nExample:\n  filters counters node-1',
    )
    .action((node: string, flags: Json) => counters(orExit(clientFor(dirOf()), flags.json), node, flags));
  filters
    .command('probe')
    .argument('<node>')
    .option('--json', 'print JSON')
    .description('let the node send packets that should be refused, and say whether they were')
    .addHelpText(
      'after',
      '\nExample:\n  filters probe node-1\n\nExit code: 1 when one got out, or when it could not be shown.',
    )
    .action((node: string, flags: Json) => probe(orExit(clientFor(dirOf()), flags.json), node, flags));
}

function changing(command: Command): Command {
  return command
    .option('--expect <version>', 'refuse if the filters changed since this version; without it, since now')
    .option(
      '--confirm-within <seconds>',
      `undo the change unless it is confirmed within so many seconds, ${limits.confirm_s_max} at most`,
    )
    .option('--json', 'print JSON');
}

async function change(
  dir: string,
  node: string,
  what: { readonly add: readonly unknown[]; readonly remove: readonly number[] },
  { json, names, expect, confirmWithin }: ChangeFlags,
): Promise<void> {
  const client = orExit(clientFor(dir), json);
  const stands = expect ?? orExit(await client.call('GET', pathOf(node)), json)['version'];
  const body = {
    ...what,
    expect: Number(stands),
    ...(names === undefined ? {} : { names: fileJson(names, json) }),
    ...(confirmWithin === undefined ? {} : { confirmWithin: Number(confirmWithin) }),
  };
  const answer = orExit(await client.call('POST', pathOf(node, '/change'), body), json);
  if (json) return console.log(JSON.stringify(answer));
  const version = String(answer['version']);
  console.log(`${node} enforces version ${version}: ${String(answer['filters'])} filters`);
  if (answer['undoAt'] !== undefined)
    console.log(`it is undone unless you say: filters confirm ${node} ${version}`);
}

interface CounterLine {
  readonly index: number;
  readonly since: number;
  readonly judged?: number;
  readonly packets?: number;
  readonly refused?: number;
  readonly open?: { readonly connections: number; readonly packets: number; readonly bytes: number };
}

function countText({ judged, packets, refused }: CounterLine): string {
  if (judged !== undefined) return `${judged} connections judged`;
  if (packets !== undefined) return `${packets} packets`;
  return `${refused ?? 0} refused`;
}

async function counters(client: ApiClient, node: string, { json }: Json): Promise<void> {
  const answer = orExit(await client.call('GET', pathOf(node, '/counters')), json);
  if (json) return console.log(JSON.stringify(answer));
  const lines = (answer['filters'] ?? []) as readonly CounterLine[];
  const time = (s: number): string => new Date(s * 1000).toISOString();
  const rows = lines.map((line) => [
    String(line.index),
    countText(line),
    line.open ? `${line.open.connections} with ${line.open.packets} packets, ${line.open.bytes} bytes` : '',
    time(line.since),
  ]);
  console.log(
    rows.length === 0 ? 'no filter judged anything' : table(['FILTER', 'COUNT', 'OPEN', 'SINCE'], rows),
  );
  const refused = Object.entries((answer['refused'] ?? {}) as Readonly<Record<string, number>>);
  if (refused.length > 0) console.log(`\nrefused since ${time(Number(answer['since']))}, by what refused:`);
  for (const [what, packets] of refused) console.log(`  ${what}: ${packets} packets`);
}

interface Probe {
  readonly peer: string;
  readonly protocol: string;
  readonly port?: number;
  readonly refused: boolean;
}

async function probe(client: ApiClient, node: string, { json }: Json): Promise<void> {
  const answer: Answer = orExit(await client.call('POST', pathOf(node, '/probe')), json);
  if (answer['out'] !== 'refused') process.exitCode = 1;
  if (json) return console.log(JSON.stringify(answer));
  const probes = (answer['probes'] ?? []) as readonly Probe[];
  for (const { peer, protocol, port, refused } of probes)
    console.log(
      `out ${peer} ${protocol}${port === undefined ? '' : ` ${port}`}: ${refused ? 'refused' : 'GOT OUT'}`,
    );
  const says = { refused: 'all were refused', passed: 'NOT all were refused', unknown: 'nothing was shown' };
  console.log(says[answer['out'] as keyof typeof says] ?? 'nothing was shown');
  console.log(String(answer['note']));
}
