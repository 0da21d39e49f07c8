import type { Command } from 'commander';
import { askLocal, type ChainLink, type LocalStatus } from './local.js';
import { exits, fail } from './output.js';

interface Flags {
  readonly dir: string;
  readonly json?: boolean;
}

const exitCodes = '\nExit codes: 0 said, 1 BMonitor does not run, 2 bad input.\n';

/** What root may see of levels and keys on the machine itself: names, terms and counts. There is nothing here to command. */
export function addChain(program: Command): void {
  program
    .command('leases')
    .description('The levels of the node on this machine: their leases, terms, rights and receipts.')
    .option('--dir <folder>', 'the folder of the node', '/var/lib/bmonitor')
    .option('--json', 'print it as JSON')
    .addHelpText(
      'after',
      `\nExamples:\n  bmonitor leases\n  bmonitor leases --dir /srv/node --json\n${exitCodes}`,
    )
    .action((flags: Flags) => show(flags, leasesOf, shownLeases));
  program
    .command('keys')
    .description('The names of the keys of the node on this machine, and which are open. Never a key.')
    .option('--dir <folder>', 'the folder of the node', '/var/lib/bmonitor')
    .option('--json', 'print it as JSON')
    .addHelpText(
      'after',
      `\nExamples:\n  bmonitor keys\n  bmonitor keys --dir /srv/node --json\n${exitCodes}`,
    )
    .action((flags: Flags) => show(flags, keysOf, shownKeys));
}

async function show<T extends object>(
  flags: Flags,
  of: (status: LocalStatus) => T,
  shown: (facts: T) => readonly string[],
): Promise<void> {
  const json = flags.json === true;
  const said = await askLocal(flags.dir);
  if (!said.ok) return fail(said.refusal, json);
  const facts = of(said.value);
  process.stdout.write(json ? `${JSON.stringify(facts)}\n` : `${shown(facts).join('\n')}\n`);
  process.exitCode = exits.done;
}

type Leases = ReturnType<typeof leasesOf>;

function leasesOf({ name, node, chain }: LocalStatus) {
  return {
    name,
    node,
    leases: chain.map(({ level, lease, status, rights, consoles, receipts, term }) => ({
      level,
      lease,
      status,
      rights,
      ...(term === undefined ? {} : { term }),
      consoles,
      receipts,
    })),
  };
}

function shownLeases({ name, node, leases }: Leases): readonly string[] {
  return [
    `${name}, node ${node}`,
    ...leases.flatMap((one) => [
      `  level ${one.level}  lease ${one.lease}  ${one.status}`,
      `    rights    ${one.rights.join(' ')}`,
      `    ends      ${ending(one)}`,
      `    consoles  ${one.consoles}`,
      `    receipts  ${one.receipts}`,
    ]),
  ];
}

function ending({ term, status }: Pick<ChainLink, 'term' | 'status'>): string {
  if (term === undefined) return 'never';
  const ended = status === 'dark' ? 'ended ' : '';
  return `${ended}${moment(term.until)}, its keys are destroyed ${moment(term.destroyedAt)}`;
}

type Keys = ReturnType<typeof keysOf>;

function keysOf({ name, node, keyStore, measured, sparePairs, chain }: LocalStatus) {
  return {
    name,
    node,
    keyStore,
    ...(measured === undefined ? {} : { measured }),
    sparePairs,
    keys: chain.map(({ level, lease, status, pair, previous, symmetric, open }) => ({
      level,
      lease,
      status,
      pair,
      ...(previous === undefined ? {} : { previous }),
      ...(symmetric === undefined ? {} : { symmetric }),
      open,
    })),
  };
}

function shownKeys({ name, node, keyStore, sparePairs, keys }: Keys): readonly string[] {
  return [
    `${name}, in a ${keyStore === 'tpm' ? 'TPM' : 'file'}`,
    `  N         ${node}`,
    `  spares    ${sparePairs} pairs made ahead`,
    ...keys.flatMap(({ level, lease, pair, previous, symmetric, open }) => [
      `  level ${level}  lease ${lease}`,
      `    pair    ${pair}`,
      ...(previous === undefined ? [] : [`    before  ${previous}, until the answer has arrived`]),
      `    K       ${symmetric === undefined ? 'none' : `${symmetric.id}, ${standing(symmetric)}`}`,
      `    data    ${open ? 'open' : 'CLOSED'}`,
    ]),
  ];
}

function standing({ shared, open }: NonNullable<ChainLink['symmetric']>): string {
  const kept = shared ? ', needs a share at each start' : '';
  return `${open ? 'open' : 'LOCKED'}${kept}`;
}

function moment(time_s: number): string {
  return new Date(time_s * 1000).toISOString();
}
