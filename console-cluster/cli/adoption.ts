import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Command } from 'commander';
import { clientFor, type ApiClient } from '../../console/cli/client.js';
import { ago, orExit, table } from '../../console/cli/output.js';
import { writeFileWhole } from '../../console/daemon/files.js';
import { limits } from '../../protocol/limits.js';
import { messageOf } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';

interface Json {
  readonly json?: boolean;
}

interface Machine {
  readonly id: string;
  readonly source: string;
  readonly since: number;
  readonly standing: 'waiting' | 'comparing' | 'accepted' | 'adopted' | 'ended';
  readonly unverified: { readonly name: string; readonly version: string; readonly machine: string };
  readonly name: string | null;
  readonly why: { readonly code: string; readonly detail: string } | null;
}

interface PlaceFlags extends Json {
  readonly room?: string;
  readonly rack?: string;
  readonly position?: string;
  readonly spare?: boolean;
}

async function machinesOf(client: ApiClient, json = false): Promise<readonly Machine[]> {
  return orExit(await client.call('GET', '/api/v1/adoption'), json)['machines'] as readonly Machine[];
}

/** By its id, or by the name it gives itself as long as only one does. */
function chosen(machines: readonly Machine[], wanted: string): Result<Machine> {
  const waiting = machines.filter(({ standing }) => standing === 'waiting');
  const found = waiting.filter(({ id, unverified }) => id === wanted || unverified.name === wanted);
  const [only, ...others] = found;
  if (!only) return refuse('not-found', `no machine ${wanted} waits; see adoption list`);
  return others.length === 0
    ? ok(only)
    : refuse('bad-input', `several say that they are ${wanted}: name one by its id`);
}

export function adoptionCommands(program: Command, dirOf: () => string): void {
  const adoption = program
    .command('adoption')
    .description('machines without a landlord, and how they become nodes');
  adoption
    .command('list')
    .option('--json', 'print JSON')
    .description('machines that wait; what they say of themselves is unverified')
    .action(async (flags: Json) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const machines = await machinesOf(client, flags.json);
      if (flags.json) return console.log(JSON.stringify({ machines }));
      if (machines.length === 0)
        return console.log(
          'nobody waits; at the machine: bmonitor pair --gateway ADDRESS (gateway address says it)',
        );
      const rows = machines.map((one) => [
        one.id,
        one.standing === 'ended' ? `ended: ${one.why?.code ?? ''}` : one.standing,
        one.source,
        ago(Date.now() - one.since),
        one.unverified.name,
        one.unverified.machine,
      ]);
      console.log(
        table(['ID', 'STANDING', 'FROM', 'SINCE', 'NAME (unverified)', 'MACHINE (unverified)'], rows),
      );
    });
  adoption
    .command('accept')
    .argument('<machine>', 'its id, or the name that it gives itself')
    .option('--name <name>', 'what the node shall be called, if not as it says')
    .option('--code-file <file>', 'where the code of the machine is written; without it you are asked')
    .option('--room <room>', 'where it stands')
    .option('--rack <rack>', 'in which rack')
    .option('--position <position>', 'and where in it')
    .option('--spare', 'it is kept ready to stand in for another')
    .option('--json', 'print JSON')
    .description('make a waiting machine a node: each side types the code that the other shows')
    .addHelpText(
      'after',
      '\nYou see a code to be typed at the machine, and are asked for the one that the machine shows. One try.\n' +
        '\nExamples:\n  adoption accept web-1\n  adoption accept web-1 --name rack-3-node-7 --room hall --rack 3 --position 7',
    )
    .action(async (wanted: string, flags: PlaceFlags & { name?: string; codeFile?: string }) =>
      acceptMachine(orExit(clientFor(dirOf()), flags.json), wanted, flags),
    );
}

async function acceptMachine(
  client: ApiClient,
  wanted: string,
  flags: PlaceFlags & { name?: string; codeFile?: string },
): Promise<void> {
  const { id, unverified } = orExit(chosen(await machinesOf(client, flags.json), wanted), flags.json);
  const path = `/api/v1/adoption/${id}`;
  // Before anything is shown: afterwards there is no second try.
  const wish = flags.name ?? unverified.name;
  if ((await client.call('GET', `/api/v1/nodes/${encodeURIComponent(wish)}`)).ok)
    return void orExit(refuse('already-there', `a node ${wish} is here: give another --name`), flags.json);
  const begun = orExit(await client.call('POST', `${path}/begin`), flags.json);
  process.stderr.write(`${unverified.name} (unverified): ${unverified.machine}\n`);
  process.stderr.write(`type this at the machine:   ${String(begun['code'])}\n`);
  const code = orExit(await codeFrom(flags.codeFile), flags.json);
  const { room, rack, position, spare = false } = flags;
  const body = {
    code,
    ...(flags.name === undefined ? {} : { name: flags.name }),
    place: placeFrom({ room, rack, position, spare }),
  };
  const accepted = orExit(await client.call('POST', `${path}/accept`, body), flags.json);
  process.stderr.write('the code is right; waiting for the machine, which makes its keys\n');
  for (;;) {
    const machine = (await machinesOf(client, flags.json)).find((one) => one.id === id);
    if (!machine) return void orExit(refuse('pairing-ended', 'it is gone'), flags.json);
    if (machine.standing === 'ended')
      return void orExit(
        refuse('pairing-ended', `${machine.why?.code ?? ''} ${machine.why?.detail ?? ''}`),
        flags.json,
      );
    if (machine.standing === 'adopted') break;
    await new Promise((resolve) => setTimeout(resolve, limits.tick_ms));
  }
  const name = String(accepted['name']);
  const node = orExit(await client.call('GET', `/api/v1/nodes/${encodeURIComponent(name)}`), flags.json);
  console.log(flags.json ? JSON.stringify(node) : `${name} is adopted, identity ${String(node['id'])}`);
}

function placeFrom(flags: {
  readonly room: string | undefined;
  readonly rack: string | undefined;
  readonly position: string | undefined;
  readonly spare: boolean;
}): object {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
}

/** Never from the command line, which others on this machine can read. */
async function codeFrom(file: string | undefined): Promise<Result<string>> {
  if (file !== undefined) {
    try {
      return ok(readFileSync(file, 'utf8').trim());
    } catch (error) {
      return refuse('not-found', messageOf(error));
    }
  }
  process.stderr.write('the machine shows:          ');
  const reader = createInterface({ input: process.stdin });
  return new Promise((resolve) => {
    reader.once('line', (line) => {
      resolve(ok(line.trim()));
      reader.close();
      // A pipe that its writer holds open would keep this program from ending.
      process.stdin.destroy();
    });
    reader.once('close', () => resolve(refuse('bad-input', 'no code was given')));
  });
}

/** Added to the commands on nodes that both consoles have. */
export function inventoryCommands(program: Command, dirOf: () => string): void {
  const nodes = program.commands.find((command) => command.name() === 'nodes');
  if (!nodes) throw new Error('both consoles have the command nodes');
  nodes
    .command('inventory')
    .argument('<name>')
    .option('--json', 'print JSON')
    .description('where a node stands, what it is made of, and what both sides signed when it was adopted')
    .action(async (name: string, flags: Json) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const path = `/api/v1/nodes/${encodeURIComponent(name)}/inventory`;
      console.log(
        JSON.stringify(orExit(await client.call('GET', path), flags.json), null, flags.json ? 0 : 2),
      );
    });
  nodes
    .command('place')
    .argument('<name>')
    .option('--room <room>', 'where it stands')
    .option('--rack <rack>', 'in which rack')
    .option('--position <position>', 'and where in it')
    .option('--spare', 'it is kept ready to stand in for another')
    .option('--no-spare', 'it is in use')
    .option('--json', 'print JSON')
    .description('say where a node stands; what is not named stays as it is')
    .addHelpText('after', '\nExample:\n  nodes place web-1 --room hall --rack 3 --position 7 --spare')
    .action(async (name: string, flags: PlaceFlags) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const path = `/api/v1/nodes/${encodeURIComponent(name)}`;
      const before = orExit(await client.call('GET', `${path}/inventory`), flags.json)['place'] as object;
      const { room, rack, position, spare } = flags;
      const named = Object.entries({ room, rack, position, spare }).filter(
        ([, value]) => value !== undefined,
      );
      const body = { ...before, ...Object.fromEntries(named) };
      const answer = orExit(await client.call('PUT', `${path}/place`, body), flags.json);
      console.log(flags.json ? JSON.stringify(answer) : `${name}: ${JSON.stringify(answer['place'])}`);
    });
  nodes
    .command('retire')
    .argument('<name>')
    .option('--confirm <name>', 'the name of the node again: everything that is on it is destroyed')
    .option('--out <file>', 'where to write what the node signed about it')
    .option('--json', 'print JSON')
    .description(
      'end every lease of a node and make it forget its landlord; without --confirm, shows what that destroys',
    )
    .addHelpText('after', '\nExample:\n  nodes retire web-1 --confirm web-1 --out web-1.receipts')
    .action(async (name: string, flags: Json & { confirm?: string; out?: string }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const path = `/api/v1/nodes/${encodeURIComponent(name)}`;
      if (flags.confirm === undefined) {
        const { levels } = orExit(await client.call('GET', `${path}/levels`), flags.json);
        const leases = (levels as readonly { level: number; lease: string }[]).map(
          ({ level, lease }) => `level ${level} ${lease}`,
        );
        console.log(
          `This would destroy on ${name}, now: all keys of ${leases.join(', ')},\n` +
            'and with them everything that is stored under them. No console can command the node any more;\n' +
            `at the machine, bmonitor pair --anew ${name} makes a new node of it.\n` +
            `To do it:  nodes retire ${name} --confirm ${name}`,
        );
        process.exitCode = 1;
        return;
      }
      const answer = orExit(
        await client.call('POST', `${path}/retire`, { destroys: flags.confirm }),
        flags.json,
      );
      const receipts = answer['receipts'] as readonly string[];
      if (flags.out !== undefined) orExit(writeFileWhole(flags.out, `${receipts.join('\n')}\n`), flags.json);
      console.log(flags.json ? JSON.stringify(answer) : `${name} is retired; ${receipts.length} receipts`);
    });
  nodes
    .command('retired')
    .option('--json', 'print JSON')
    .description('nodes that were retired or sold')
    .action(async (flags: Json) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const answer = orExit(await client.call('GET', '/api/v1/retired'), flags.json);
      if (flags.json) return console.log(JSON.stringify(answer));
      const all = answer['nodes'] as readonly {
        identity: string;
        record: { name: string; retired: { at: number; by: string; soldTo?: string } };
      }[];
      const rows = all.map(({ identity, record }) => [
        record.name,
        identity,
        new Date(record.retired.at).toISOString(),
        record.retired.by,
        record.retired.soldTo === undefined ? '' : `sold to ${record.retired.soldTo}`,
      ]);
      console.log(table(['NAME', 'IDENTITY', 'WHEN', 'BY', ''], rows));
    });
}
