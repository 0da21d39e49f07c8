import type { Command } from 'commander';
import { clientFor } from '../../console/cli/client.js';
import { orExit } from '../../console/cli/output.js';
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
}
