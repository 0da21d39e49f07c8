import type { Command } from 'commander';
import { clientFor } from '../../console/cli/client.js';
import { orExit, table } from '../../console/cli/output.js';
import { number } from '../../console/cli/options.js';
import { powerActs, type PowerAct } from '../../protocol/power.js';
import { limits } from '../../protocol/limits.js';

interface Json {
  readonly json?: boolean;
}
interface PowerFlags extends Json {
  readonly drain?: number;
  readonly reason?: string;
}

const what: Readonly<Record<PowerAct, string>> = {
  reboot: 'start a node anew',
  'power-off': 'switch a node off',
  suspend: 'let a node sleep',
};

export function nodePath(node: string, rest: string): string {
  return `/api/v1/nodes/${encodeURIComponent(node)}/${rest}`;
}

/** Power, light and wake-up of nodes. */
export function hardwareCommands(program: Command, dirOf: () => string): Command {
  const hardware = program.command('hardware').description('power, light and wake-up of nodes');
  for (const act of powerActs) powerCommand(hardware, act, dirOf);
  hardware
    .command('light')
    .argument('<node>')
    .argument('<on|off>')
    .option('--seconds <seconds>', 'how long it is on', number(1, limits.identify_s_max), limits.identify_s)
    .option('--json', 'print JSON')
    .description('switch the light by which a person finds the machine, from within it')
    .addHelpText('after', '\nExample:\n  hardware light node-1 on --seconds 600')
    .action(async (node: string, on: string, flags: Json & { seconds: number }) => {
      if (on !== 'on' && on !== 'off') return program.error('on or off');
      const client = orExit(clientFor(dirOf()), flags.json);
      const body = { on: on === 'on', seconds: flags.seconds };
      const answer = orExit(await client.call('POST', nodePath(node, 'light'), body), flags.json);
      console.log(flags.json ? JSON.stringify(answer) : `asked for; see hardware jobs ${node}`);
    });
  healthCommand(hardware, dirOf);
  hardware
    .command('jobs')
    .argument('<node>')
    .option('--json', 'print JSON')
    .description('long commands of a node: how far they came, and how they ended')
    .action(async (node: string, flags: Json) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const answer = orExit(await client.call('GET', nodePath(node, 'jobs')), flags.json);
      if (flags.json) return console.log(JSON.stringify(answer));
      const jobs = answer['jobs'] as readonly Readonly<Record<'id' | 'kind' | 'state' | 'note', string>>[];
      const rows = jobs.map(({ id, kind, state, note }) => [id, kind, state, note]);
      console.log(rows.length === 0 ? 'no jobs' : table(['JOB', 'KIND', 'STATE', 'NOTE'], rows));
    });
  return hardware;
}

function powerCommand(hardware: Command, act: PowerAct, dirOf: () => string): void {
  hardware
    .command(act)
    .argument('<node>')
    .option('--drain <seconds>', 'time for its engines to stop', number(0, limits.drain_s_max))
    .option('--reason <reason>', 'why: every level of the node is told')
    .option('--json', 'print JSON')
    .description(`${what[act]}, by the node itself`)
    .addHelpText('after', `\nExample:\n  hardware ${act} node-1 --drain 60 --reason "a fan is changed"`)
    .action(async (node: string, { json, ...how }: PowerFlags) => {
      const client = orExit(clientFor(dirOf()), json);
      const answer = orExit(await client.call('POST', nodePath(node, 'power'), { act, ...how }), json);
      if (json) return console.log(JSON.stringify(answer));
      const at = new Date(Number(answer['at']) * 1000).toISOString();
      console.log(`${node}: ${act} at ${at}, job ${String(answer['job'])}`);
    });
}

interface Subjects {
  readonly subjects: readonly {
    readonly subject: string;
    readonly state: string;
    readonly items: readonly (Readonly<Record<'item' | 'state' | 'reading', string>> & {
      readonly limit?: string;
    })[];
  }[];
}

function healthCommand(hardware: Command, dirOf: () => string): void {
  hardware
    .command('health')
    .argument('<node>')
    .option('--json', 'print JSON')
    .description('how its machine is; what cannot be read is unknown')
    .addHelpText('after', '\nExample:\n  hardware health node-1\n\nExit code: 1 when anything is bad.')
    .action(async (node: string, flags: Json) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const answer = orExit(await client.call('GET', nodePath(node, 'health')), flags.json);
      const { subjects = [] } = answer as unknown as Partial<Subjects>;
      if (subjects.some(({ state }) => state === 'bad')) process.exitCode = 1;
      if (flags.json) return console.log(JSON.stringify(answer));
      const rows = subjects.flatMap(({ subject, state, items }) => [
        [subject, state, '', ''],
        ...items.map(({ item, reading, limit = '', ...one }) => [`  ${item}`, one.state, reading, limit]),
      ]);
      console.log(table(['WHAT', 'STATE', 'READING', 'LIMIT'], rows));
    });
}
