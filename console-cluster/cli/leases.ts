import type { Command } from 'commander';
import { clientFor } from '../../console/cli/client.js';
import { orExit, table } from '../../console/cli/output.js';
import { readFileLimited, writeFileWhole } from '../../console/daemon/files.js';
import { parseConsoleCard } from '../../protocol/console-card.js';
import { refuse, type Result } from '../../protocol/result.js';

interface GrantFlags {
  readonly to: readonly string[];
  readonly rights: string;
  readonly for: string;
  readonly destroyAfter?: string;
  readonly out?: string;
  readonly json?: boolean;
}

interface Level {
  readonly level: number;
  readonly lease: string;
  readonly status: string;
  readonly rights: readonly string[];
  readonly until?: number;
}

/** Leases of this facility's nodes. */
export function leaseCommands(program: Command, dirOf: () => string): void {
  const leases = program.command('leases').description('who holds which level of a node, and until when');
  leases
    .command('show')
    .argument('<node>')
    .option('--json', 'print JSON')
    .description('the chain of levels of a node')
    .action(async (node: string, flags: { json?: boolean }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const answer = orExit(await client.call('GET', pathOf(node)), flags.json);
      console.log(flags.json ? JSON.stringify(answer) : listing(answer['levels'] as readonly Level[]));
    });
  leases
    .command('grant')
    .argument('<node>')
    .requiredOption('--to <card...>', 'the cards of the consoles of the new holder')
    .option('--rights <rights>', 'what is granted, with commas', 'engines,volumes,keys,boundaries')
    .option('--for <time>', 'how long: 90m, 12h, 30d', '30d')
    .option('--destroy-after <time>', 'how long after the end its keys are kept', '72h')
    .option('--out <file>', 'where to write the card to hand over; without it, it is printed')
    .option('--json', 'print JSON')
    .description('lease a node: the card it gives is for the new holder’s console')
    .addHelpText(
      'after',
      '\nExample:\n  leases grant node-1 --to alder.pub.json --for 30d --out node-1.alder.json',
    )
    .action(async (node: string, flags: GrantFlags) => {
      const { json } = flags;
      const to = flags.to.map(
        (file) => orExit(parseConsoleCard(orExit(readFileLimited(file), json)), json).card,
      );
      const body = {
        to,
        rights: flags.rights.split(','),
        until: Math.floor(Date.now() / 1000) + orExit(secondsOf(flags.for), json),
        ...(flags.destroyAfter === undefined
          ? {}
          : { destroyAfter: orExit(secondsOf(flags.destroyAfter), json) }),
      };
      const client = orExit(clientFor(dirOf()), json);
      const card = orExit(await client.call('POST', pathOf(node), body), json);
      const text = JSON.stringify(card, null, 2);
      if (flags.out === undefined) return console.log(json ? JSON.stringify(card) : text);
      orExit(writeFileWhole(flags.out, `${text}\n`, 0o644), json);
      console.log(
        json ? JSON.stringify({ file: flags.out, lease: card['lease'] }) : `hand over ${flags.out}`,
      );
    });
  leases
    .command('extend')
    .argument('<node>')
    .requiredOption('--lease <id>', 'which lease')
    .requiredOption('--for <time>', 'until how long from now: 90m, 12h, 30d')
    .option('--json', 'print JSON')
    .description('move the end of a lease')
    .action(async (node: string, flags: { lease: string; for: string; json?: boolean }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const until = Math.floor(Date.now() / 1000) + orExit(secondsOf(flags.for), flags.json);
      const answer = orExit(
        await client.call('POST', `${pathOf(node, flags.lease)}/extend`, { until }),
        flags.json,
      );
      console.log(
        flags.json ? JSON.stringify(answer) : `the lease ends ${new Date(until * 1000).toISOString()}`,
      );
    });
  leases
    .command('end')
    .argument('<node>')
    .option('--lease <id>', 'the lease whose keys, and with them its data, are destroyed')
    .option('--json', 'print JSON')
    .description('end a lease at once, and all below it')
    .action(async (node: string, flags: { lease?: string; json?: boolean }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      if (flags.lease === undefined) {
        const answer = orExit(await client.call('GET', pathOf(node)), flags.json);
        console.error(
          `this destroys all data of:\n${listing((answer['levels'] as readonly Level[]).slice(1))}`,
        );
        orExit(refuse('bad-input', 'name what is destroyed: --lease <id>', { where: '--lease' }), flags.json);
        return;
      }
      const answer = orExit(await client.call('DELETE', pathOf(node, flags.lease)), flags.json);
      console.log(flags.json ? JSON.stringify(answer) : `ended: ${String(answer['ended'])}`);
    });
}

function listing(levels: readonly Level[]): string {
  return table(
    ['LEVEL', 'LEASE', 'STATUS', 'UNTIL', 'RIGHTS'],
    levels.map((one) => [
      String(one.level),
      one.lease,
      one.status,
      one.until === undefined ? 'no end' : new Date(one.until * 1000).toISOString(),
      one.rights.join(' '),
    ]),
  );
}

function pathOf(node: string, lease?: string): string {
  const path = `/api/v1/nodes/${encodeURIComponent(node)}/leases`;
  return lease === undefined ? path : `${path}/${encodeURIComponent(lease)}`;
}

const units = new Map([
  ['s', 1],
  ['m', 60],
  ['h', 3600],
  ['d', 86_400],
]);

function secondsOf(text: string): Result<number> {
  const [, count, unit = ''] = /^([0-9]{1,7})([smhd])$/.exec(text) ?? [];
  const seconds = units.get(unit);
  return count === undefined || seconds === undefined
    ? refuse('bad-input', `${text}: a number and s, m, h or d`, { where: 'time' })
    : { ok: true, value: Number(count) * seconds };
}
