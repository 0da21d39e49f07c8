import type { Command } from 'commander';
import type { ApiClient } from '../../console/cli/client.js';
import { orExit, table } from '../../console/cli/output.js';
import { refuse } from '../../protocol/result.js';
import { listOf, nodesIn, printOutcomes, troubleText, type Json } from './outcomes.js';

interface Folder {
  readonly name: string;
  readonly bytes: number;
  readonly engines: readonly string[];
}

/** Folders that engines mount and that outlive them. */
export function folderCommands(engines: Command, client: (flags: Json) => ApiClient): void {
  engines
    .command('folders')
    .argument('<targets...>', 'nodes, or group:NAME')
    .option('--json', 'print JSON')
    .description('the folders that engines mount: how much is in each, and who mounts it')
    .action(async (targets: readonly string[], flags: Json) => {
      const answer = orExit(
        await client(flags).call('GET', `/api/v1/folders?targets=${listOf(targets)}`),
        flags.json,
      );
      const nodes = nodesIn(answer);
      if (flags.json) return console.log(JSON.stringify(answer));
      const rows = nodes.flatMap(({ node, value, trouble }) =>
        trouble
          ? [[node, 'unknown', troubleText(trouble), '']]
          : ((value?.['folders'] ?? []) as readonly Folder[]).map(({ name, bytes, engines: users }) => [
              node,
              name,
              String(bytes),
              users.join(' '),
            ]),
      );
      console.log(rows.length === 0 ? 'no folders' : table(['NODE', 'FOLDER', 'BYTES', 'ENGINES'], rows));
    });
  engines
    .command('remove-folder')
    .argument('<folder>')
    .argument('<targets...>', 'nodes, or group:NAME')
    .option('--confirm <folder>', 'its name once more: all that is in it is destroyed')
    .option('--json', 'print JSON')
    .description('destroy a folder that no engine names any more')
    .addHelpText(
      'after',
      '\nExamples:\n  engines folders node-1\n  engines remove-folder pages node-1 --confirm pages',
    )
    .action(async (folder: string, targets: readonly string[], flags: Json & { confirm?: string }) => {
      if (flags.confirm !== folder)
        orExit(
          refuse(
            'confirm-by-name',
            `this destroys all that is in ${folder} on ${targets.join(' ')}: --confirm ${folder}`,
          ),
          flags.json,
        );
      const path = `/api/v1/folders/${encodeURIComponent(folder)}?targets=${listOf(targets)}`;
      printOutcomes(orExit(await client(flags).call('DELETE', path), flags.json), flags, 'removed');
    });
}
