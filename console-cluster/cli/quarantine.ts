import type { Command } from 'commander';
import { clientFor } from '../../console/cli/client.js';
import { orExit } from '../../console/cli/output.js';
import { number } from '../../console/cli/options.js';
import { limits } from '../../protocol/limits.js';
import { nodePath } from './hardware.js';

interface Flags {
  readonly reason?: string;
  readonly json?: boolean;
}

/** Closes a node to everybody but its consoles, and opens it again. */
export function quarantineCommands(program: Command, dirOf: () => string): void {
  const quarantine = program
    .command('quarantine')
    .description('close a node to everybody but its consoles, and lift that again');
  const set = async (node: string, on: boolean, { reason, json }: Flags): Promise<void> => {
    const client = orExit(clientFor(dirOf()), json);
    const body = { on, ...(reason === undefined ? {} : { reason }) };
    const answer = orExit(await client.call('PUT', nodePath(node, 'quarantine'), body), json);
    if (json) return console.log(JSON.stringify(answer));
    console.log(
      on ? `${node} is closed to everybody but its consoles` : `${node} is open again as its filters say`,
    );
  };
  quarantine
    .command('on')
    .argument('<node>')
    .option('--reason <reason>', 'why: every level of the node is told')
    .option('--json', 'print JSON')
    .description('nothing passes but the consoles; what was open is cut')
    .addHelpText('after', '\nExample:\n  quarantine on node-1 --reason "it attacks others"')
    .action((node: string, flags: Flags) => set(node, true, flags));
  quarantine
    .command('off')
    .argument('<node>')
    .option('--json', 'print JSON')
    .description('the filters of all levels hold again, as they are then')
    .addHelpText('after', '\nExample:\n  quarantine off node-1')
    .action((node: string, flags: Flags) => set(node, false, flags));
  wayCommands(program, dirOf);
}

/** From where consoles reach a node whatever filters say. */
function wayCommands(program: Command, dirOf: () => string): void {
  const ways = program
    .command('ways')
    .description('from which addresses consoles reach a node, whatever filters say');
  ways
    .command('set')
    .argument('<node>')
    .argument('<address...>', 'all of them: they replace those of the node’s configuration')
    .option(
      '--confirm-within <seconds>',
      'undone unless it is confirmed within so long',
      number(1, limits.confirm_s_max),
      60,
    )
    .option('--json', 'print JSON')
    .description('replace the addresses; say `ways confirm` over one of the new ones')
    .addHelpText('after', '\nExample:\n  ways set node-1 10.0.0.2 10.0.0.3 --confirm-within 60')
    .action(
      async (
        node: string,
        consoles: readonly string[],
        { json, confirmWithin }: { json?: boolean; confirmWithin: number },
      ) => {
        const client = orExit(clientFor(dirOf()), json);
        const body = { consoles, confirmWithin };
        const answer = orExit(await client.call('PUT', nodePath(node, 'ways'), body), json);
        console.log(json ? JSON.stringify(answer) : `set; undone unless you say: ways confirm ${node}`);
      },
    );
  ways
    .command('confirm')
    .argument('<node>')
    .option('--json', 'print JSON')
    .description('keep the ways that were set')
    .addHelpText('after', '\nExample:\n  ways confirm node-1')
    .action(async (node: string, { json }: { json?: boolean }) => {
      const client = orExit(clientFor(dirOf()), json);
      const answer = orExit(await client.call('POST', nodePath(node, 'ways/confirm')), json);
      console.log(json ? JSON.stringify(answer) : `${node} keeps its ways to consoles`);
    });
}
