import type { Command } from 'commander';
import { clientFor, type ApiClient } from './client.js';
import { orExit, say, table } from './output.js';
import { readFileLimited, writeFileWhole } from '../daemon/files.js';
import { printLeases } from './lease-table.js';
import { newPairCommand } from './new-pair.js';
import { takingCommands } from './taking.js';
import { rights } from '../../protocol/commands.js';
import { parseConsoleCard, type ConsoleCard } from '../../protocol/console-card.js';
import { refuse, type Result, ok } from '../../protocol/result.js';
import type { LeaseView } from '../granting/routes.js';

interface Json {
  readonly json?: boolean;
}

/** `2027-01-31`, `2027-01-31T12:00:00Z`, or from now on: `90d`, `12h`, `30m`. In seconds since 1970. */
export function momentFrom(text: string, now_ms: number): Result<number> {
  const [, count, unit] = /^([0-9]{1,6})([mhd])$/.exec(text) ?? [];
  if (count !== undefined && unit !== undefined) {
    const seconds = { m: 60, h: 3600, d: 86_400 }[unit as 'm' | 'h' | 'd'];
    return ok(Math.floor(now_ms / 1000) + Number(count) * seconds);
  }
  const parsed = /^[0-9]{4}-/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(parsed)
    ? refuse('bad-input', 'a date such as 2027-01-31, or 90d, 12h, 30m from now on', { where: '--until' })
    : ok(Math.floor(parsed / 1000));
}

export function customerCommands(program: Command, dirOf: () => string): void {
  const customers = program.command('customers').description('who leases nodes here');
  customers
    .command('set')
    .argument('<name>')
    .argument('<cards...>', 'the public card of each of its consoles')
    .option('--json', 'print JSON')
    .description('name a customer and its consoles; compare their thumbprints by telephone first')
    .addHelpText('after', '\nExample:\n  customers set acme ./acme-console.pub.json')
    .action(async (customer: string, paths: string[], flags: Json) => {
      const consoles = cardsFrom(paths, flags.json);
      const client = orExit(clientFor(dirOf()), flags.json);
      const path = `/api/v1/customers/${encodeURIComponent(customer)}`;
      const set = orExit(await client.call('PUT', path, { consoles }), flags.json);
      const lines = set['consoles'] as readonly { name: string; id: string }[];
      console.log(
        flags.json ? JSON.stringify(set) : lines.map(({ name, id }) => `${name}  ${id}`).join('\n'),
      );
    });
  customers
    .command('admit')
    .argument('<name>')
    .argument('[cards...]', 'the public cards of those to whom it leases on; none sends all away')
    .option('--json', 'print JSON')
    .description(
      'let consoles of others through the gateway to the nodes of a customer, which leases them on',
    )
    .addHelpText('after', '\nExample:\n  customers admit acme ./tenant-of-acme.pub.json')
    .action(async (customer: string, paths: string[], flags: Json) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const path = `/api/v1/customers/${encodeURIComponent(customer)}/guests`;
      const body = { guests: cardsFrom(paths, flags.json) };
      const set = orExit(await client.call('PUT', path, body), flags.json);
      const lines = set['guests'] as readonly { name: string; id: string }[];
      const told =
        lines.length === 0 ? 'no guests' : lines.map(({ name, id }) => `${name}  ${id}`).join('\n');
      console.log(flags.json ? JSON.stringify(set) : told);
    });
  customers
    .command('list')
    .option('--json', 'print JSON')
    .description('all customers and the keys they speak with')
    .action(async (flags: Json) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const answer = orExit(await client.call('GET', '/api/v1/customers'), flags.json);
      if (flags.json) return console.log(JSON.stringify(answer));
      const all = answer['customers'] as readonly {
        name: string;
        consoles: { name: string; id: string }[];
        guests: { name: string; id: string }[];
      }[];
      const rows = all.flatMap(({ name, consoles, guests }) => [
        ...consoles.map((one) => [name, one.name, 'its own', one.id]),
        ...guests.map((one) => [name, one.name, 'guest', one.id]),
      ]);
      console.log(table(['CUSTOMER', 'CONSOLE', 'WHOSE', 'KEY'], rows));
    });
}

interface GrantFlags extends Json {
  readonly customer?: string;
  readonly to?: readonly string[];
  readonly until: string;
  readonly rights: string;
  readonly destroyAfter: string;
  readonly out?: string;
}

interface LevelView {
  readonly level: number;
  readonly lease: string;
  readonly status: string;
  readonly rights: readonly string[];
  readonly until?: number;
  /** Of a landlord that bought the node: its first console. */
  readonly holder?: string;
}

function cardsFrom(paths: readonly string[], json = false): ConsoleCard[] {
  return paths.map((path) => orExit(parseConsoleCard(orExit(readFileLimited(path), json)), json).card);
}

/** A customer that is named by its cards alone is called as its first console is. */
async function customerFrom(client: ApiClient, flags: GrantFlags): Promise<string> {
  if (flags.to === undefined)
    return flags.customer ?? orExit(refuse('bad-input', 'name the customer: --customer or --to'), flags.json);
  const consoles = cardsFrom(flags.to, flags.json);
  const customer = flags.customer ?? consoles[0]?.name ?? '';
  const path = `/api/v1/customers/${encodeURIComponent(customer)}`;
  orExit(await client.call('PUT', path, { consoles }), flags.json);
  return customer;
}

async function writeHandOver(client: ApiClient, customer: string, out: string, json = false): Promise<void> {
  const { handOver } = orExit(
    await client.call('GET', `/api/v1/hand-overs/${encodeURIComponent(customer)}`),
    json,
  );
  orExit(writeFileWhole(out, `${JSON.stringify(handOver, null, 2)}\n`, 0o644), json);
}

/** How the commands are called, and where the API has what they act on. */
export interface LeasesAt {
  readonly name: 'leases' | 'sublet';
  readonly about: string;
  readonly path: '/api/v1/leases' | '/api/v1/sub-leases';
}
const ofLandlord: LeasesAt = {
  name: 'leases',
  about: 'leases of nodes: granted to customers, and taken from a landlord above',
  path: '/api/v1/leases',
};

export function leaseCommands(program: Command, dirOf: () => string, at: LeasesAt = ofLandlord): void {
  const leases = program.command(at.name).description(at.about);
  leases
    .command('list')
    .option('--json', 'print JSON')
    .description('all leases, also those that are over')
    .action(async (flags: Json) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      printLeases(orExit(await client.call('GET', at.path), flags.json), flags.json);
    });
  leases
    .command('grant')
    .argument('<nodes...>')
    .option('--customer <name>', 'to whom')
    .option('--to <cards...>', 'the cards of its consoles; sets the consoles of the customer')
    .option('--until <time>', 'a date, or from now on: 90d, 12h, 30m', '30d')
    .option('--for <time>', 'the same')
    .option('--rights <rights>', `of ${rights.join(', ')}, with commas`, 'engines,volumes,keys,boundaries')
    .option('--destroy-after <time>', 'how long after the end the keys are kept: 0m, 12h, 3d', '72h')
    .option('--out <file>', 'write the hand-over too')
    .option('--json', 'print JSON')
    .description('lease nodes to a customer')
    .addHelpText(
      'after',
      `\nExamples:\n  ${at.name} grant node-1 node-2 --customer acme --until 90d\n` +
        `  ${at.name} grant node-1 --to acme.pub.json --for 30d --out acme.hand-over.json`,
    )
    .action(async (nodes: string[], flags: GrantFlags & { for?: string }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const now = Date.now();
      const until = orExit(momentFrom(flags.for ?? flags.until, now), flags.json);
      const destroyAfter = orExit(momentFrom(flags.destroyAfter, now), flags.json) - Math.floor(now / 1000);
      const customer = await customerFrom(client, flags);
      const body = { customer, nodes, rights: flags.rights.split(','), until, destroyAfter };
      const answer = orExit(await client.call('POST', at.path, body), flags.json);
      printLeases(answer, flags.json);
      const all = answer['leases'] as readonly LeaseView[];
      if (all.some(({ state }) => state !== 'granted' && state !== 'taken')) process.exitCode = 1;
      else if (flags.out !== undefined) await writeHandOver(client, customer, flags.out, flags.json);
    });
  leases
    .command('show')
    .argument('<node>')
    .option('--json', 'print JSON')
    .description('the chain of levels of a node, as the node itself says')
    .action(async (node: string, flags: Json) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const path = `/api/v1/nodes/${encodeURIComponent(node)}/levels`;
      const answer = orExit(await client.call('GET', path), flags.json);
      if (flags.json) return console.log(JSON.stringify(answer));
      const rows = (answer['levels'] as readonly LevelView[]).map((one) => [
        String(one.level),
        one.lease,
        one.status,
        one.until === undefined ? 'no end' : new Date(one.until * 1000).toISOString(),
        one.rights.join(' '),
      ]);
      console.log(table(['LEVEL', 'LEASE', 'STATUS', 'UNTIL', 'RIGHTS'], rows));
      const { holder } = (answer['levels'] as readonly LevelView[])[0] ?? {};
      if (holder !== undefined) console.log(`level 0 was handed to the console ${holder}`);
    });
  leases
    .command('hand-over')
    .argument('<customer>')
    .requiredOption('--out <file>', 'the file to write')
    .option('--json', 'print JSON')
    .description('write what the customer’s console takes in; nothing in it is secret')
    .action(async (customer: string, flags: Json & { out: string }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      await writeHandOver(client, customer, flags.out, flags.json);
      say(flags, { customer, file: flags.out }, `written to ${flags.out}`);
    });
  leases
    .command('extend')
    .argument('<lease>')
    .requiredOption('--until <time>', 'a date, or from now on: 90d, 12h, 30m')
    .option('--json', 'print JSON')
    .description('move the end of a lease')
    .action(async (lease: string, flags: Json & { until: string }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const until = orExit(momentFrom(flags.until, Date.now()), flags.json);
      const path = `${at.path}/${encodeURIComponent(lease)}/extend`;
      printLeases(orExit(await client.call('POST', path, { until }), flags.json), flags.json);
    });
  leases
    .command('receipts')
    .argument('<lease>')
    .option('--json', 'print JSON')
    .description('what the node signed about a lease, one a line, for `bmonitor receipt verify`')
    .action(async (lease: string, flags: Json) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const path = `${at.path}/${encodeURIComponent(lease)}/receipts`;
      const answer = orExit(await client.call('GET', path), flags.json);
      say(flags, answer, (answer['receipts'] as readonly string[]).join('\n'));
    });
  endCommand(leases, dirOf, at);
  newPairCommand(leases, dirOf, at);
  // Where the own leases have a word of their own, they are taken there.
  if (at.name === 'leases') takingCommands(leases, dirOf, 'taken');
}

function endCommand(leases: Command, dirOf: () => string, at: LeasesAt): void {
  leases
    .command('end')
    .argument('<node>')
    .option('--destroy <lease>', 'names the lease whose keys and data this destroys')
    .option('--json', 'print JSON')
    .description('end the lease of a node at once; without --destroy, shows what that would destroy')
    .action(async (node: string, flags: Json & { destroy?: string }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const answer = orExit(await client.call('GET', at.path), flags.json);
      const running = (answer['leases'] as readonly LeaseView[]).find(
        (lease) => lease.node === node && ['granted', 'taken', 'dark'].includes(lease.state),
      );
      if (!running?.lease) return void orExit(refuse('lease-unknown', `${node} is not leased`), flags.json);
      if (flags.destroy === undefined) {
        const chain = await client.call('GET', `/api/v1/nodes/${encodeURIComponent(node)}/levels`);
        say(
          flags,
          { node, customer: running.customer, destroys: running.lease, done: false },
          `This would end the lease of ${node} to ${running.customer} now and destroy, on the node:\n` +
            `  the key pair and the symmetric key of level ${running.level} and of all below it,\n` +
            `  the key to everything stored under them: images, volumes, logs, secrets, history.\n` +
            leasesBelow(chain, running.level ?? 1) +
            `To do it:  ${at.name} end ${node} --destroy ${running.lease}`,
        );
        process.exitCode = 1;
        return;
      }
      const path = `${at.path}/${encodeURIComponent(running.lease)}/end`;
      printLeases(
        orExit(await client.call('POST', path, { destroys: flags.destroy }), flags.json),
        flags.json,
      );
    });
}

/** Which leases go, by name: those that the lease itself granted further go with it. */
function leasesBelow(chain: Result<Record<string, unknown>>, from: number): string {
  if (!chain.ok) return '  (the node does not answer, so which leases stand below is not known)\n';
  return (chain.value['levels'] as readonly LevelView[])
    .filter(({ level }) => level >= from)
    .map(({ level, lease, status }) => `  level ${level}: the lease ${lease}, ${status}\n`)
    .join('');
}
