import type { Command } from 'commander';
import { digestText } from '../../protocol/fields.js';
import { limits } from '../../protocol/limits.js';
import { flag, list, object, oneOf, optional, text, whole, type Parsed } from '../../protocol/parse.js';
import { parseJson } from '../../protocol/json.js';
import type { Result } from '../../protocol/result.js';
import { localStatus } from '../main.js';
import { exits, fail } from './output.js';

const longText = text({ min: 0, max: 2000 });
const moment = whole({ min: 0, max: 32_503_680_000 });

const statusForm = object({
  name: longText,
  node: longText,
  boot: longText,
  version: longText,
  pid: whole({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  started: moment,
  uptime: whole({ min: 0, max: 32_503_680_000 }),
  listening: longText,
  keyStore: oneOf('tpm', 'file'),
  measured: optional(digestText),
  /** How the files of levels are encrypted. */
  files: longText,
  warnings: list(longText, { max: 64 }),
  filters: object({
    enforced: oneOf('yes', 'no', 'unknown'),
    readBack: optional(moment),
    detail: optional(longText),
  }),
  quarantine: flag,
  levels: list(oneOf('granted', 'active', 'dark'), { max: limits.levels_max }),
  undone: list(longText, { max: 256 }),
  clockAhead: optional(moment),
  fault: optional(longText),
});
type LocalStatus = Parsed<typeof statusForm>;

export function addStatus(program: Command): void {
  program
    .command('status')
    .description(
      'Says how the node on this machine is. What belongs to a level it says only to that level’s console.',
    )
    .option('--dir <folder>', 'the folder of the node', '/var/lib/bmonitor')
    .option('--json', 'print it as JSON')
    .addHelpText(
      'after',
      `
Examples:
  bmonitor status
  bmonitor status --dir /srv/node --json

Exit codes: 0 it runs and all is well, 1 it does not run or something is not as it should be, 2 bad input.
`,
    )
    .action(status);
}

async function status(flags: { readonly dir: string; readonly json?: boolean }): Promise<void> {
  const json = flags.json === true;
  const read = await localStatus(flags.dir);
  const parsed: Result<LocalStatus> = read.ok ? parsedStatus(read.value) : read;
  if (!parsed.ok) return fail(parsed.refusal, json);
  const it = parsed.value;
  process.stdout.write(json ? `${JSON.stringify(it)}\n` : shown(it));
  const well = it.undone.length === 0 && it.fault === undefined && it.filters.enforced !== 'unknown';
  process.exitCode = well ? exits.done : exits.refused;
}

function parsedStatus(content: string): Result<LocalStatus> {
  const json = parseJson(content);
  return json.ok ? statusForm(json.value, '') : json;
}

function shown(it: LocalStatus): string {
  const { filters } = it;
  const enforced = { yes: 'enforced', no: 'NOT enforced', unknown: 'UNKNOWN' }[filters.enforced];
  const readBack =
    filters.readBack === undefined ? '' : `, read back ${new Date(filters.readBack * 1000).toISOString()}`;
  const detail = filters.detail === undefined ? '' : ` (${filters.detail})`;
  return [
    `${it.name}, BMonitor ${it.version}, process ${it.pid}, up ${duration(it.uptime)}`,
    `  node      ${it.node}`,
    `  listens   ${it.listening}`,
    `  keys      in a ${it.keyStore === 'tpm' ? 'TPM' : 'file'}`,
    it.measured === undefined ? undefined : `  measured  ${it.measured}`,
    `  files     ${it.files === 'none' ? 'NOT taken' : `encrypted by ${it.files}`}`,
    `  filters   ${enforced}${detail}${readBack}`,
    it.quarantine ? '  quarantine is on: nothing passes but the consoles' : undefined,
    `  levels    ${it.levels.map((state, level) => `${level} ${state}`).join(', ')}`,
    ...it.undone.map((what) => `  not done  ${what}; it is tried again`),
    it.clockAhead === undefined
      ? undefined
      : `  clock     ahead by ${duration(it.clockAhead)}: not believed until a console of the landlord's says the same time`,
    it.fault === undefined ? undefined : `  FAULT     ${it.fault}; restart BMonitor`,
    ...it.warnings.map((warning) => `  warning   ${warning}`),
    '',
  ]
    .filter((line) => line !== undefined)
    .join('\n');
}

function duration(seconds: number): string {
  const [days, hours, minutes] = [86_400, 3600, 60].map((unit) => Math.floor(seconds / unit));
  if (days) return `${days} d ${(hours ?? 0) % 24} h`;
  if (hours) return `${hours} h ${(minutes ?? 0) % 60} min`;
  return minutes ? `${minutes} min` : `${seconds} s`;
}
