import { spawnSync } from 'node:child_process';
import { createReadStream, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { parseAddress } from '../../bmonitor/filters/address.js';
import { compileSet } from '../../bmonitor/filters/compile.js';
import { normaliseSet } from '../../bmonitor/filters/normalise.js';
import { parseFilterSet, parseNames } from '../../bmonitor/filters/parse.js';
import { parseJson } from '../../protocol/json.js';
import { refuse, type Result } from '../../protocol/result.js';
import { readFileLimited } from '../daemon/files.js';
import { clientFor, type ApiClient } from './client.js';
import { orExit, refusalText } from './output.js';

interface Flags {
  readonly names?: string;
  readonly json?: boolean;
}

interface Fit {
  readonly node: string;
  readonly within: boolean | null;
  readonly sentence: string | null;
  readonly filters: readonly number[];
  readonly trouble: string | null;
}

interface Box {
  readonly direction: string;
  readonly oneway: boolean;
  readonly peers: string;
  readonly protocol: string;
  readonly ports: string | null;
}

const namesOption = [
  '--names <file>',
  'what the names in it stand for; nodes of this console are known',
] as const;
const exits = { fits: 0, doesNot: 1 } as const;

function jsonFrom(file: string): Result<unknown> {
  const content = readFileLimited(file);
  return content.ok ? parseJson(content.value) : content;
}

function bodyFrom(file: string, targets: readonly string[], flags: Flags): Result<object> {
  const set = jsonFrom(file);
  if (!set.ok) return set;
  const names = flags.names === undefined ? undefined : jsonFrom(flags.names);
  if (names?.ok === false) return names;
  return { ok: true, value: { targets, set: set.value, ...(names ? { names: names.value } : {}) } };
}

async function fitsOf(client: ApiClient, body: object): Promise<Result<readonly Fit[]>> {
  const answer = await client.call('POST', '/api/v1/filters/check', body);
  return answer.ok ? { ok: true, value: answer.value['fits'] as readonly Fit[] } : answer;
}

function fitText({ node, within, sentence, filters, trouble }: Fit): string {
  if (within === null) return `${node}: unknown: ${trouble}`;
  if (within) return `${node}: fits`;
  return `${node}: ${sentence}\n  allowed by ${filters.map((at) => `filters[${at}]`).join(', ')}`;
}

function boxText({ direction, oneway, peers, protocol, ports }: Box): string {
  return `${direction} ${peers} ${protocol}${ports === null ? '' : ` ${ports}`}${oneway ? ' (one way)' : ''}`;
}

async function differencesOf(client: ApiClient, body: object): Promise<Result<string>> {
  const answer = await client.call('POST', '/api/v1/filters/difference', body);
  if (!answer.ok) return answer;
  const all = answer.value['differences'] as Readonly<Record<string, { allowed: Box[]; refused: Box[] }>>;
  const lines = Object.entries(all).flatMap(([node, { allowed, refused }]) =>
    allowed.length + refused.length === 0
      ? [`${node}: nothing changes`]
      : [
          `${node}:`,
          ...allowed.map((box) => `  + ${boxText(box)}`),
          ...refused.map((box) => `  - ${boxText(box)}`),
        ],
  );
  return { ok: true, value: lines.join('\n') };
}

/** Filters for one or many nodes: looked at while they are written, tried, compared, applied to all or none. */
export function manyFilterCommands(filters: Command, dirOf: () => string): void {
  filters
    .command('check')
    .argument('<file>', 'a filter set')
    .argument('<targets...>', 'nodes, or group:NAME')
    .option(...namesOption)
    .option('--watch', 'again whenever the file is saved')
    .option('--json', 'print JSON')
    .description('does the set fit on these nodes? Exit code 0: on all, 1: not, or not known')
    .addHelpText(
      'after',
      '\nExamples:\n  filters check web.json group:web\n  filters check web.json node-1 --watch',
    )
    .action(async (file: string, targets: readonly string[], flags: Flags & { watch?: boolean }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const look = async (): Promise<boolean> => {
        const body = bodyFrom(file, targets, flags);
        const fits = body.ok ? await fitsOf(client, body.value) : body;
        if (!fits.ok) {
          console.error(flags.json ? JSON.stringify({ error: fits.refusal }) : refusalText(fits.refusal));
          return false;
        }
        console.log(flags.json ? JSON.stringify({ fits: fits.value }) : fits.value.map(fitText).join('\n'));
        return fits.value.every(({ within }) => within === true);
      };
      process.exitCode = (await look()) ? exits.fits : exits.doesNot;
      if (!flags.watch) return;
      // Editors often put a new file in the place of the old one, so the folder is watched.
      let soon: NodeJS.Timeout | undefined;
      watch(dirname(file), (_event, name) => {
        if (name !== basename(file)) return;
        // The first save of several is not put off by those that follow it.
        soon ??= setTimeout(() => {
          soon = undefined;
          void look();
        }, 100);
      });
    });
  filters
    .command('diff')
    .argument('<file>', 'a filter set')
    .argument('<targets...>', 'nodes, or group:NAME')
    .option(...namesOption)
    .option('--json', 'print JSON')
    .description('what the set would newly allow (+) and newly refuse (-) there')
    .action(async (file: string, targets: readonly string[], flags: Flags) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const body = orExit(bodyFrom(file, targets, flags), flags.json);
      if (flags.json)
        return console.log(
          JSON.stringify(orExit(await client.call('POST', '/api/v1/filters/difference', body), true)),
        );
      console.log(orExit(await differencesOf(client, body)));
    });
  filters
    .command('try')
    .argument('<file>', 'a filter set')
    .argument('<node>')
    .requiredOption('--capture <file>', 'a pcap file of the node’s traffic')
    .option(...namesOption)
    .option('--json', 'print one JSON object a line')
    .description('what would become of the packets of a capture, with this set under the levels above')
    .action(tryOn);
  filters
    .command('apply-all')
    .argument('<file>', 'a filter set')
    .argument('<targets...>', 'nodes, or group:NAME')
    .option(...namesOption)
    .option('--json', 'print JSON')
    .description('replace the filters of all these nodes: all take it, or none does')
    .addHelpText('after', '\nExample:\n  filters apply-all web.json group:web')
    .action(async (file: string, targets: readonly string[], flags: Flags) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const body = orExit(bodyFrom(file, targets, flags), flags.json);
      const answer = orExit(await client.call('POST', '/api/v1/filters/apply', body), flags.json);
      if (flags.json) return console.log(JSON.stringify(answer));
      for (const [node, version] of Object.entries(answer['versions'] as Record<string, number>))
        console.log(`${node} enforces version ${version}`);
    });
  filters
    .command('edit')
    .argument('<targets...>', 'nodes, or group:NAME; the filters of the first are what you begin with')
    .description('edit in $EDITOR; proved when you save, shown what would change, applied to all or none')
    .action(async (targets: readonly string[]) => edit(orExit(clientFor(dirOf())), targets));

  async function tryOn(file: string, node: string, flags: Flags & { capture: string }): Promise<void> {
    const client = orExit(clientFor(dirOf()), flags.json);
    const path = `/api/v1/nodes/${encodeURIComponent(node)}/filters/above`;
    const above = orExit(await client.call('GET', path), flags.json);
    const names = orExit(
      parseNames(flags.names === undefined ? {} : orExit(jsonFrom(flags.names), flags.json), 'names'),
      flags.json,
    );
    const sets = [above['set'], orExit(jsonFrom(file), flags.json)].filter((one) => one !== null);
    const levels = sets.map((one) => {
      const normal = orExit(normaliseSet(orExit(parseFilterSet(one, file), flags.json), names), flags.json);
      return orExit(compileSet(normal), flags.json);
    });
    const addresses = (above['addresses'] as readonly string[]).flatMap((text) => {
      const read = parseAddress(text);
      return read ? [{ family: read.family, lo: read.value, hi: read.value }] : [];
    });
    if (addresses.length === 0)
      orExit(refuse('not-enforced', `${node} does not say which addresses are its own`), flags.json);
    const { explainCapture } = await import('../../bmonitor/filters/explain/index.js');
    const done = await explainCapture(createReadStream(flags.capture), { levels, addresses }, (n, outcome) =>
      console.log(
        flags.json ? JSON.stringify({ n, ...outcome }) : `${n}  ${outcome.verdict}  ${outcome.reason}`,
      ),
    );
    orExit(done, flags.json);
  }
}

/** Until it fits or the person gives up. What was written is never lost: its file is named. */
async function edit(client: ApiClient, targets: readonly string[]): Promise<void> {
  if (!process.stdin.isTTY) orExit(refuse('no-terminal', 'use filters check and filters apply-all'));
  const first = targets[0] ?? '';
  const group = first.startsWith('group:') ? await firstOfGroup(client, first.slice(6)) : first;
  const { set, names } = orExit(
    await client.call('GET', `/api/v1/nodes/${encodeURIComponent(group)}/filters`),
  );
  const folder = mkdtempSync(join(tmpdir(), 'filters-'));
  const [file, namesFile] = [join(folder, 'filters.json'), join(folder, 'names.json')];
  writeFileSync(file, `${JSON.stringify(set, null, 2)}\n`, { mode: 0o600 });
  writeFileSync(namesFile, JSON.stringify(names), { mode: 0o600 });
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const begun = readFileSync(file, 'utf8');
    for (;;) {
      const editor = process.env['VISUAL'] ?? process.env['EDITOR'] ?? 'vi';
      const [program = 'vi', ...args] = editor.split(' ');
      spawnSync(program, [...args, file], { stdio: 'inherit' });
      if (readFileSync(file, 'utf8') === begun) return console.log('nothing was changed');
      const body = bodyFrom(file, targets, { names: namesFile });
      const fits = body.ok ? await fitsOf(client, body.value) : body;
      const good = fits.ok && fits.value.every(({ within }) => within === true);
      console.error(fits.ok ? fits.value.map(fitText).join('\n') : refusalText(fits.refusal));
      if (good && body.ok) {
        const changes = await differencesOf(client, body.value);
        console.error(changes.ok ? changes.value : refusalText(changes.refusal));
      }
      const answer = (
        await terminal.question(good ? 'apply, edit again, or quit? [a/e/q] ' : 'edit again, or quit? [e/q] ')
      ).trim();
      if (good && body.ok && answer === 'a') {
        const applied = orExit(await client.call('POST', '/api/v1/filters/apply', body.value));
        for (const [node, version] of Object.entries(applied['versions'] as Record<string, number>))
          console.log(`${node} enforces version ${version}`);
        rmSync(folder, { recursive: true });
        return;
      }
      if (answer === 'q') return console.log(`nothing was applied; what you wrote is in ${file}`);
    }
  } finally {
    terminal.close();
  }
}

async function firstOfGroup(client: ApiClient, group: string): Promise<string> {
  const answer = orExit(await client.call('GET', '/api/v1/groups'));
  const all = answer['groups'] as readonly { name: string; nodes: readonly string[] }[];
  const found = all.find(({ name }) => name === group)?.nodes[0];
  return found ?? orExit(refuse('not-found', `no group:${group} with a node in it`));
}
