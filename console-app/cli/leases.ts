import type { Command } from 'commander';
import { clientFor } from '../../console/cli/client.js';
import { orExit } from '../../console/cli/output.js';
import { readFileLimited } from '../../console/daemon/files.js';
import { parseNodeCard } from '../../protocol/node-card.js';

/** Leases that this console's holder takes. */
export function leaseCommands(program: Command, dirOf: () => string): void {
  const lease = program.command('lease').description('leases of nodes to you');
  lease
    .command('take')
    .argument('<card>', 'what the landlord handed over')
    .option('--identity <thumbprint>', 'the node’s identity, from its label or another way than the card', '')
    .option('--json', 'print JSON')
    .description('take a lease: a new pair, a key of its own, and nobody but this console enrolled')
    .addHelpText('after', '\nExample:\n  lease take ./node-1.alder.json --identity 9mJx…')
    .action(async (path: string, flags: { identity: string; json?: boolean }) => {
      const card = orExit(parseNodeCard(orExit(readFileLimited(path), flags.json)), flags.json);
      const client = orExit(clientFor(dirOf()), flags.json);
      const body = { card, identity: flags.identity };
      const taken = orExit(await client.call('POST', '/api/v1/leases', body), flags.json);
      console.log(flags.json ? JSON.stringify(taken) : sentences(taken));
    });
}

function sentences(taken: Readonly<Record<string, unknown>>): string {
  return [
    `${String(taken['node'])} is yours: lease ${String(taken['lease'])}, with ${String(taken['rights'])}`,
    taken['nobodyElse'] === true
      ? 'no key but that of this console was ever enrolled in it'
      : 'KEYS OF OTHERS were enrolled in it before you took it: ask the landlord why',
    taken['identityVerified'] === true
      ? 'its identity is the one of the label'
      : 'identity unverified: compare the node’s identity with its label (--identity)',
  ].join('\n');
}
