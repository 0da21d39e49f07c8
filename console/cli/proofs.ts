import type { Command } from 'commander';
import { clientFor } from './client.js';
import { nodeKeyCommands } from './node-keys.js';
import { orExit } from './output.js';

/** What the keys on a node can do, proved by the node. */
export function proofCommands(program: Command, dirOf: () => string): void {
  const keys = program.command('keys').description('the keys that a node keeps for this level');
  nodeKeyCommands(keys, dirOf);
  keys
    .command('prove')
    .argument('<node>')
    .option('--json', 'print JSON, with the signed proof')
    .description('have the node prove that no smaller choice of keys opens the data of this level')
    .addHelpText(
      'after',
      '\nExample:\n  keys prove node-1\n\nExit codes: 0 proved, 1 not proved, 2 bad input.',
    )
    .action(async (name: string, flags: { json?: boolean }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const path = `/api/v1/nodes/${encodeURIComponent(name)}/blindness`;
      const answer = orExit(await client.call('POST', path), flags.json);
      if (flags.json) console.log(JSON.stringify(answer));
      else for (const line of answer['means'] as readonly string[]) console.log(`${name}: ${line}`);
      if (answer['result'] !== 'tried') process.exitCode = 1;
    });
}

interface MeasurementFlags {
  readonly approve?: string;
  readonly withdraw?: boolean;
  readonly accept?: string;
  readonly json?: boolean;
}

export function measurementCommand(nodes: Command, dirOf: () => string): void {
  nodes
    .command('measurement')
    .argument('<node>')
    .option('--approve <digest>', 'what the machine will measure after the update')
    .option('--withdraw', 'take back what was approved')
    .option('--accept <digest>', 'let this console send shares and secrets to a machine that measures this')
    .option('--json', 'print JSON')
    .description('what a node measures, and this level’s word on what it may measure after an update')
    .addHelpText(
      'after',
      `
Examples:
  nodes measurement node-1
  nodes measurement node-1 --approve 9lT-gnedJuarPf84A4_O1b-POsfMR0885JMIuuOIYE8
  nodes measurement node-1 --withdraw
  nodes measurement node-1 --accept 9lT-gnedJuarPf84A4_O1b-POsfMR0885JMIuuOIYE8

The digest is what \`bmonitor status\` shows on a machine of the same make that was started with the update. It takes hold
once the landlord and every level that has a K approved it; any change of a lease, K or roster makes it void.

A console sends shares and secrets to a machine that measures what it did when it was first sent one, or what was approved or accepted here.`,
    )
    .action(async (name: string, flags: MeasurementFlags) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const body =
        flags.approve !== undefined
          ? { act: 'approve', digest: flags.approve }
          : flags.accept !== undefined
            ? { act: 'accept', digest: flags.accept }
            : { act: flags.withdraw ? 'withdraw' : 'read' };
      const path = `/api/v1/nodes/${encodeURIComponent(name)}/measurement`;
      const answer = orExit(await client.call('POST', path, body), flags.json);
      console.log(JSON.stringify(answer, null, flags.json ? 0 : 2));
    });
}
