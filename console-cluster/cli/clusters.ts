import { isIP } from 'node:net';
import type { Command } from 'commander';
import { clientFor } from '../../console/cli/client.js';
import { orExit, say, table } from '../../console/cli/output.js';
import { refuse } from '../../protocol/result.js';
import { momentFrom } from '../../console/cli/leases.js';

interface Json {
  readonly json?: boolean;
}
interface How extends Json {
  readonly dry?: boolean;
  readonly overDrift?: boolean;
}
interface Outcome {
  readonly taken: readonly string[];
  readonly behind: readonly string[];
}

const day = (ms: number): string => new Date(ms).toISOString().slice(0, 16).replace('T', ' ');

function howOf({ dry, overDrift }: How): object {
  return { ...(dry ? { dry } : {}), ...(overDrift ? { overDrift } : {}) };
}

function printOutcome(answer: Record<string, unknown>, flags: How): void {
  if (flags.json) return console.log(JSON.stringify(answer));
  const { taken, behind } = answer as unknown as Outcome;
  if (flags.dry)
    return console.log(taken.length === 0 ? 'no node is concerned' : `would change: ${taken.join(' ')}`);
  console.log(taken.length === 0 ? 'no node took anything new' : `in step: ${taken.join(' ')}`);
  if (behind.length > 0)
    console.log(`behind, with what they had before, until they are back: ${behind.join(' ')}`);
}

function addHow(command: Command): Command {
  return command
    .option('--dry', 'only say which nodes it would change')
    .option('--over-drift', 'also where somebody changed the filters by hand')
    .option('--json', 'print JSON');
}

/** Which nodes belong together. */
export function clusterCommands(program: Command, dirOf: () => string): void {
  const clusters = program
    .command('clusters')
    .description('which nodes belong together and talk to each other');
  clusters
    .command('list')
    .option('--json', 'print JSON')
    .description('all clusters and their nodes')
    .action(async (flags: Json) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const answer = orExit(await client.call('GET', '/api/v1/clusters'), flags.json);
      if (flags.json) return console.log(JSON.stringify(answer));
      const all = answer['clusters'] as readonly {
        name: string;
        members: readonly string[];
        note: string | null;
      }[];
      const rows = all.map(({ name, members, note }) => [
        name,
        String(members.length),
        members.join(' '),
        note ?? '',
      ]);
      console.log(rows.length === 0 ? 'no clusters' : table(['CLUSTER', 'NODES', 'MEMBERS', 'NOTE'], rows));
    });
  addHow(
    clusters
      .command('set')
      .argument('<cluster>')
      .argument('[nodes...]', 'all its nodes, whatever they were before')
      .option('--note <note>')
      .description('set the nodes of a cluster; all nodes concerned take their new boundary, or none does'),
  )
    .addHelpText('after', '\nExample:\n  clusters set alder node-1 node-2 --dry')
    .action(async (cluster: string, members: readonly string[], flags: How & { note?: string }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const body = { members, ...(flags.note === undefined ? {} : { note: flags.note }), ...howOf(flags) };
      const path = `/api/v1/clusters/${encodeURIComponent(cluster)}`;
      printOutcome(orExit(await client.call('PUT', path, body), flags.json), flags);
    });
  clusters
    .command('dissolve')
    .argument('<cluster>')
    .option('--confirm <cluster>', 'its name once more')
    .option('--json', 'print JSON')
    .description(
      'dissolve a cluster and end its exceptions; its nodes talk to nobody but their consoles afterwards',
    )
    .action(async (cluster: string, flags: How & { confirm?: string }) => {
      if (flags.confirm !== cluster) orExit(refuse('confirm-by-name', `--confirm ${cluster}`), flags.json);
      const client = orExit(clientFor(dirOf()), flags.json);
      const path = `/api/v1/clusters/${encodeURIComponent(cluster)}`;
      printOutcome(orExit(await client.call('DELETE', path), flags.json), flags);
    });
}

interface AllowFlags extends How {
  readonly reason: string;
  readonly until?: string;
  readonly both?: boolean;
  readonly service?: string;
  readonly protocol?: string;
  readonly port?: readonly string[];
}

/** `alder`, `node:node-1`, or addresses outside: `192.0.2.0/24`. */
function sideFrom(spelled: string): object {
  if (spelled.startsWith('node:')) return { kind: 'node', name: spelled.slice(5) };
  const peers = spelled.split(',');
  return peers.every(isPeer) ? { kind: 'outside', peers } : { kind: 'cluster', name: spelled };
}

/** An address, a range of them or a network; the name of a cluster may look much like one, `cafe.de` for instance. */
function isPeer(spelled: string): boolean {
  return spelled.split(/[/-]/, 1).every((address) => isIP(address) !== 0);
}

/** What passes between clusters and to the outside. */
export function exceptionCommands(program: Command, dirOf: () => string): void {
  const exceptions = program
    .command('exceptions')
    .description('what is let through between clusters and to the outside');
  exceptions
    .command('list')
    .option('--json', 'print JSON')
    .description('all of them, with reason and end')
    .action(async (flags: Json) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const answer = orExit(await client.call('GET', '/api/v1/exceptions'), flags.json);
      if (flags.json) return console.log(JSON.stringify(answer));
      const all = answer['exceptions'] as readonly {
        readonly id: string;
        readonly from: string;
        readonly to: string;
        readonly both: boolean;
        readonly about: string;
        readonly reason: string;
        readonly madeBy: string;
        readonly until: number | null;
        readonly over: boolean;
      }[];
      const rows = all.map(({ id, from, to, both, about, reason, madeBy, until, over }) => [
        id,
        `${from} ${both ? '<->' : '->'} ${to}`,
        about,
        until === null ? 'no end' : `${over ? 'over since' : 'until'} ${day(until)}`,
        madeBy,
        reason,
      ]);
      console.log(
        rows.length === 0 ? 'no exceptions' : table(['ID', 'WHO', 'ABOUT', 'END', 'BY', 'REASON'], rows),
      );
    });
  addHow(
    exceptions
      .command('allow')
      .argument('<from>', 'a cluster, node:NAME, or addresses outside: the side that starts')
      .argument('<to>', 'the side that answers')
      .requiredOption('--reason <reason>', 'why; who comes after you will ask')
      .option('--until <time>', 'a date, or from now on: 90d, 12h, 30m; absent, no end')
      .option('--both', 'either side may start')
      .option('--service <service>', 'a well-known service, such as https')
      .option('--protocol <protocol>', 'a protocol by name or number')
      .option('--port <port...>', 'ports of the side that answers: 80, 8000-8100')
      .description('let something through'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  exceptions allow alder birch --service postgresql --reason "shared database" --until 90d\n' +
        '  exceptions allow 0.0.0.0/0,::/0 alder --service https --reason "public web"',
    )
    .action(async (from: string, to: string, flags: AllowFlags) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const { reason, both, service, protocol, port, until } = flags;
      const body = {
        from: sideFrom(from),
        to: sideFrom(to),
        reason,
        ...(both ? { both } : {}),
        ...(service === undefined ? {} : { service }),
        ...(protocol === undefined ? {} : { protocol }),
        ...(port === undefined ? {} : { ports: port }),
        ...(until === undefined ? {} : { until: orExit(momentFrom(until, Date.now()), flags.json) * 1000 }),
        ...howOf(flags),
      };
      printOutcome(orExit(await client.call('POST', '/api/v1/exceptions', body), flags.json), flags);
    });
  exceptions
    .command('end')
    .argument('<id>')
    .option('--json', 'print JSON')
    .description('end an exception now')
    .action(async (id: string, flags: How) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const path = `/api/v1/exceptions/${encodeURIComponent(id)}`;
      printOutcome(orExit(await client.call('DELETE', path), flags.json), flags);
    });
}

/** What every node should have, and whether it has it. */
export function boundaryCommands(program: Command, dirOf: () => string): void {
  const boundaries = program
    .command('boundaries')
    .description('what every node should have, and whether it has it');
  boundaries
    .command('list')
    .option('--json', 'print JSON')
    .description('all nodes that are in a cluster: in step, behind, drifted or refused')
    .action(async (flags: Json) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const answer = orExit(await client.call('GET', '/api/v1/boundaries'), flags.json);
      if (flags.json) return console.log(JSON.stringify(answer));
      const all = answer['boundaries'] as readonly {
        readonly node: string;
        readonly cluster: string | null;
        readonly state: string;
        readonly version: number | null;
        readonly trouble: string | null;
        readonly since: number;
      }[];
      const rows = all.map(({ node, cluster, state, version, trouble, since }) => [
        node,
        cluster ?? '-',
        state,
        version === null ? '-' : String(version),
        day(since),
        trouble ?? '',
      ]);
      console.log(
        rows.length === 0
          ? 'no boundaries'
          : table(['NODE', 'CLUSTER', 'STATE', 'VERSION', 'SINCE', 'TROUBLE'], rows),
      );
    });
  boundaries
    .command('show')
    .argument('<node>')
    .option('--json', 'print JSON on one line')
    .description('the filters that a node should have, and what their names stand for, as JSON')
    .action(async (node: string, flags: Json) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const path = `/api/v1/boundaries/${encodeURIComponent(node)}`;
      const answer = orExit(await client.call('GET', path), flags.json);
      say(flags, answer, JSON.stringify(answer, null, 2));
    });
  boundaries
    .command('push')
    .argument('<node>')
    .option('--json', 'print JSON')
    .description('give a node what it should have, whatever stands there now')
    .action(async (node: string, flags: Json) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const path = `/api/v1/boundaries/${encodeURIComponent(node)}/push`;
      const answer = orExit(await client.call('POST', path), flags.json);
      console.log(flags.json ? JSON.stringify(answer) : `${node} is ${String(answer['state'])}`);
    });
  boundaries
    .command('picture')
    .option('--json', 'print JSON')
    .description('who may talk to whom, cluster by cluster')
    .action(async (flags: Json) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const answer = orExit(await client.call('GET', '/api/v1/talks'), flags.json);
      if (flags.json) return console.log(JSON.stringify(answer));
      const talks = answer['talks'] as readonly {
        readonly from: string;
        readonly to: string;
        readonly about: string;
        readonly both: boolean;
        readonly reason: string;
        readonly exception: string | null;
      }[];
      const width = Math.max(0, ...talks.map(({ from }) => from.length));
      for (const { from, to, about, both, reason, exception } of talks)
        console.log(
          exception === null
            ? `${from.padEnd(width)}  (all its nodes with each other)`
            : `${from.padEnd(width)}  ${both ? '<--' : '---'} ${about} --> ${to}   ${reason}`,
        );
      if (talks.length === 0) console.log('nobody talks to anybody: there are no clusters');
    });
}
