import type { Command } from 'commander';
import type { Refusal, Result } from '../../protocol/result.js';
import { clamp } from '../filters/clamp.js';
import { compileSet } from '../filters/compile.js';
import type { LevelBoxes } from '../filters/boxes.js';
import { diff } from '../filters/diff.js';
import { renderNft } from '../filters/nft/index.js';
import { drawSvg, drawText, whoTalks } from '../filters/picture.js';
import { prove, type Exceeds } from '../filters/prove.js';
import { spelledLine } from '../filters/spell.js';
import { addExplain } from './filters-explain.js';
import { readAddresses, readLayers, readNames, readSet, readSets, type SetFile } from './filter-files.js';
import { exits, fail } from './output.js';

interface Common {
  readonly names?: string;
  readonly json?: boolean;
}

interface FitFlags extends Common {
  readonly outer: string[];
  readonly inner: string;
}

interface LayerFlags extends Common {
  readonly layers: string;
  readonly address: string[];
}

const namesFlag = ['--names <file>', 'what names stand for: {"node:web-1": ["10.3.0.7"]}'] as const;
const examples = {
  check: `
Exit codes: 0 within, 1 not within, 2 bad input.

Examples:
  bmonitor filters check --outer boundary.json --inner mine.json
  bmonitor filters check --outer owner.json --outer operator.json --inner mine.json --json
`,
  clamp: `
The clamped set goes to stdout, what was cut off to stderr.

Examples:
  bmonitor filters clamp --outer boundary.json --inner mine.json > fitting.json
`,
  diff: `
Examples:
  bmonitor filters diff --before monday.json --after tuesday.json
`,
  compile: `
Examples:
  bmonitor filters compile --layers boundary.json,mine.json --address 10.0.0.7 --address 2001:db8::7 > node.nft
  unshare -n nft -c -f node.nft
`,
  picture: `
Examples:
  bmonitor filters picture --layers boundary.json,mine.json --address 10.0.0.7
  bmonitor filters picture --layers boundary.json,mine.json --format svg > who.svg
`,
} as const;

/** The offline tools: no daemon and no root needed. */
export function addFilters(program: Command): void {
  const filters = program
    .command('filters')
    .description('Checks, explains and draws filter sets; needs no daemon.');
  for (const [name, about, action] of [
    ['check', 'proves that a set lies within those above, or shows a packet that does not', check],
    ['clamp', 'prints the largest part of a set that lies within those above', clampCommand],
  ] as const)
    filters
      .command(name)
      .description(about)
      .requiredOption('--outer <file>', 'a set above, from the top; may be given several times', append)
      .requiredOption('--inner <file>', 'the set of the lower level')
      .option(...namesFlag)
      .option('--json', 'print the answer as JSON')
      .addHelpText('after', examples[name])
      .action(action);
  filters
    .command('diff')
    .description('shows what traffic a change of a set allows and takes away')
    .requiredOption('--before <file>', 'the set as it was')
    .requiredOption('--after <file>', 'the set as it is to be')
    .option(...namesFlag)
    .option('--json', 'print the answer as JSON')
    .addHelpText('after', examples.diff)
    .action(diffCommand);
  filters
    .command('compile')
    .description('prints what nft -f takes')
    .requiredOption('--layers <files>', 'the sets of all levels from the top, with commas between')
    .requiredOption('--address <address>', 'an address of the node; may be given several times', append)
    .option(...namesFlag)
    .addHelpText('after', examples.compile)
    .action(compileCommand);
  addExplain(filters, append);
  filters
    .command('picture')
    .description('draws who may talk to whom')
    .requiredOption('--layers <files>', 'the sets of all levels from the top, with commas between')
    .option('--address <address>', 'an address of the node; may be given several times', append, [])
    .option(...namesFlag)
    .option('--format <format>', 'text or svg', 'text')
    .option('--json', 'print the answer as JSON')
    .addHelpText('after', examples.picture)
    .action(picture);
}

function append(value: string, list: readonly string[] = []): string[] {
  return [...list, value];
}

/** Whatever the input makes impossible is exit 2 here: 1 is an answer. */
export function failInput(refusal: Refusal, json: boolean): never {
  return fail(refusal, json, exits.badInput);
}

export function need<T>(result: Result<T>, json: boolean): T {
  return result.ok ? result.value : failInput(result.refusal, json);
}

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function line(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function fitting(
  flags: FitFlags,
): Promise<{ readonly outers: readonly SetFile[]; readonly inner: SetFile }> {
  const json = flags.json === true;
  const names = need(await readNames(flags.names), json);
  const outers = need(await readSets(flags.outer, names), json);
  return { outers, inner: need(await readSet(flags.inner, names), json) };
}

async function check(flags: FitFlags): Promise<void> {
  const { outers, inner } = await fitting(flags);
  const proof = prove(
    inner.normal,
    outers.map((outer) => outer.normal),
  );
  if (!proof.within) process.exitCode = exits.refused;
  if (flags.json === true) print(proof.within ? proof : exceedsAsJson(proof, outers.length));
  else if (proof.within) line('within');
  else describeExceeds(proof, inner, outers);
}

/** With one set above there is nothing to say about which it is. */
function exceedsAsJson(proof: Exceeds, levels: number): unknown {
  const { level, ...rest } = proof;
  return levels === 1 ? rest : { ...rest, level };
}

function describeExceeds(proof: Exceeds, inner: SetFile, outers: readonly SetFile[]): void {
  const { direction, peer, protocol, port, oneway } = proof.witness;
  const file = outers[proof.level]?.file ?? '';
  const list = (indexes: readonly number[]): string => indexes.map((index) => `filters[${index}]`).join(', ');
  line(
    `not within: ${direction} ${peer} ${protocol}${port === null ? '' : ` ${port}`}${oneway ? ' (one way)' : ''}`,
  );
  line(`  ${inner.file} allows it: ${list(proof.inner)}`);
  line(
    `  ${file} refuses it: ${proof.outer.length === 0 ? 'no filter of it allows this' : list(proof.outer)}`,
  );
}

async function clampCommand(flags: FitFlags): Promise<void> {
  const { outers, inner } = await fitting(flags);
  const clamped = need(
    clamp(
      inner,
      outers.map((outer) => outer.normal),
    ),
    flags.json === true,
  );
  line(JSON.stringify(clamped.set, undefined, 2));
  const { changed, cut } = clamped;
  if (flags.json === true) process.stderr.write(`${JSON.stringify({ changed, cut })}\n`);
  else
    process.stderr.write(
      cut.length === 0
        ? 'nothing was cut off\n'
        : `cut off, from ${changed.map((index) => `filters[${index}]`).join(', ')}:\n${cut.map((box) => `  ${spelledLine(box)}\n`).join('')}`,
    );
}

async function diffCommand(
  flags: Common & { readonly before: string; readonly after: string },
): Promise<void> {
  const json = flags.json === true;
  const names = need(await readNames(flags.names), json);
  const before = need(await readSet(flags.before, names), json);
  const after = need(await readSet(flags.after, names), json);
  const difference = need(diff(before.normal, after.normal), json);
  if (json) return print(difference);
  for (const box of difference.allowed) line(`+ ${spelledLine(box)}`);
  for (const box of difference.refused) line(`- ${spelledLine(box)}`);
  if (difference.allowed.length + difference.refused.length === 0) line('no difference');
}

async function compileCommand(flags: LayerFlags): Promise<void> {
  const names = need(await readNames(flags.names), false);
  const layers = need(await readLayers(flags.layers, names), false);
  const addresses = need(readAddresses(flags.address), false);
  const levels: LevelBoxes[] = layers.map((layer) => need(compileSet(layer.normal), false));
  process.stdout.write(need(renderNft(levels, { addresses }), false));
}

async function picture(flags: LayerFlags & { readonly format: string }): Promise<void> {
  const json = flags.json === true;
  if (flags.format !== 'text' && flags.format !== 'svg')
    return failInput({ code: 'bad-input', where: '--format', detail: 'text or svg is needed here' }, json);
  const names = need(await readNames(flags.names), json);
  const layers = need(await readLayers(flags.layers, names), json);
  need(readAddresses(flags.address), json);
  const talks = need(
    whoTalks(
      layers.map((layer) => layer.normal),
      names,
    ),
    json,
  );
  const node = flags.address.length === 0 ? 'the node' : flags.address.join(', ');
  if (json) print({ node: flags.address, talks });
  else process.stdout.write(flags.format === 'svg' ? drawSvg(node, talks) : drawText(node, talks));
}
