import type { Command } from 'commander';
import { askLocal, type LocalStatus } from './local.js';
import { exits, fail } from './output.js';

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
  const parsed = await askLocal(flags.dir);
  if (!parsed.ok) return fail(parsed.refusal, json);
  // Leases and keys have commands of their own.
  const { chain: _, sparePairs: __, ...it } = parsed.value;
  process.stdout.write(json ? `${JSON.stringify(it)}\n` : shown(it));
  const well = it.undone.length === 0 && it.fault === undefined && it.filters.enforced !== 'unknown';
  process.exitCode = well ? exits.done : exits.refused;
}

function shown(it: Omit<LocalStatus, 'chain' | 'sparePairs'>): string {
  const { filters } = it;
  const enforced = { yes: 'enforced', no: 'NOT enforced', unknown: 'UNKNOWN' }[filters.enforced];
  const readBack = filters.readBack === undefined ? '' : `, read back ${timeText(filters.readBack)}`;
  const detail = filters.detail === undefined ? '' : ` (${filters.detail})`;
  return [
    `${it.name}, BMonitor ${it.version}, process ${it.pid}, up ${duration(it.uptime)}`,
    `  node      ${it.node}`,
    `  listens   ${it.listening}`,
    `  keys      in a ${it.keyStore === 'tpm' ? 'TPM' : 'file'}`,
    `  kernel    ${it.kernel}`,
    it.measured === undefined ? undefined : `  measured  ${it.measured}`,
    `  files     ${it.files === 'none' ? 'NOT taken' : `encrypted by ${it.files}`}`,
    `  filters   ${enforced}${detail}${readBack}`,
    healthText(it.health),
    filters.differed === undefined
      ? undefined
      : `  altered   by another program, put back ${timeText(filters.differed.at)}: ${filters.differed.what.join(', ')}`,
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

/** Each subject that is not known to be good stands by itself; `at` says when it was looked at. */
function healthText(health: LocalStatus['health']): string | undefined {
  const found = Object.entries(health ?? {}).filter(([subject]) => subject !== 'at');
  if (found.length === 0) return undefined;
  const others = found
    .filter(([, state]) => state !== 'good')
    .map(([subject, state]) => `${subject} ${String(state)}`);
  return `  machine   ${others.length === 0 ? 'good' : others.join(', ')}`;
}

function timeText(moment_s: number): string {
  return new Date(moment_s * 1000).toISOString();
}

function duration(seconds: number): string {
  const [days, hours, minutes] = [86_400, 3600, 60].map((unit) => Math.floor(seconds / unit));
  if (days) return `${days} d ${(hours ?? 0) % 24} h`;
  if (hours) return `${hours} h ${(minutes ?? 0) % 60} min`;
  return minutes ? `${minutes} min` : `${seconds} s`;
}
