import type { Command } from 'commander';
import { clientFor } from './client.js';
import { orExit, table } from './output.js';

interface Json {
  readonly json?: boolean;
}

/** Names for several nodes at once. */
export function groupCommands(program: Command, dirOf: () => string): void {
  const groups = program.command('groups').description('names for several nodes at once, used as group:NAME');
  groups
    .command('list')
    .option('--json', 'print JSON')
    .description('all groups and their nodes')
    .action(async (flags: Json) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const answer = orExit(await client.call('GET', '/api/v1/groups'), flags.json);
      if (flags.json) return console.log(JSON.stringify(answer));
      const all = answer['groups'] as readonly { name: string; nodes: readonly string[] }[];
      const rows = all.map(({ name, nodes }) => [name, nodes.join(' ')]);
      console.log(rows.length === 0 ? 'no groups' : table(['GROUP', 'NODES'], rows));
    });
  groups
    .command('set')
    .argument('<group>')
    .argument('<nodes...>')
    .option('--json', 'print JSON')
    .description('set the nodes of a group; their filters stay as they are')
    .addHelpText('after', '\nExample:\n  groups set web node-1 node-2')
    .action(async (group: string, nodes: readonly string[], flags: Json) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const path = `/api/v1/groups/${encodeURIComponent(group)}`;
      const answer = orExit(await client.call('PUT', path, { nodes }), flags.json);
      console.log(flags.json ? JSON.stringify(answer) : `${group}: ${nodes.join(' ')}`);
    });
  groups
    .command('forget')
    .argument('<group>')
    .option('--json', 'print JSON')
    .description('forget a group; its nodes and their filters stay as they are')
    .action(async (group: string, flags: Json) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const path = `/api/v1/groups/${encodeURIComponent(group)}`;
      orExit(await client.call('DELETE', path), flags.json);
      console.log(flags.json ? '{}' : `${group} is forgotten`);
    });
}
