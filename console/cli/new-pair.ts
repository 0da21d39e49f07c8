import type { Command } from 'commander';
import type { LeaseView } from '../granting/routes.js';
import { refuse } from '../../protocol/result.js';
import { clientFor } from './client.js';
import { printLeases } from './lease-table.js';
import type { LeasesAt } from './leases.js';
import { collect } from './options.js';
import { orExit } from './output.js';

interface Flags {
  readonly json?: boolean;
  readonly destroy: readonly string[];
}

/** Another pair for the level that is leased. The node itself says what that destroys, and it must be named. */
export function newPairCommand(leases: Command, dirOf: () => string, at: LeasesAt): void {
  leases
    .command('new-pair')
    .argument('<node>')
    .option('--destroy <lease>', 'names a lease whose keys and data this destroys (repeatable)', collect, [])
    .option('--json', 'print JSON')
    .description(
      'replace the pair of the level that is leased; without --destroy, shows what that would destroy',
    )
    .addHelpText(
      'after',
      `
Whoever replaces the pair of a level below could take its place, so everything of that level is destroyed: there is a new lease on the same
terms, which its holder takes anew from a new hand-over.

Examples:
  ${at.name} new-pair node-1                                     shows what it would destroy
  ${at.name} new-pair node-1 --destroy 3q2-796tvu_erb7v3q2-7w    does it

Exit codes: 0 done, 1 refused, not named, or not answered yet, 2 bad input.`,
    )
    .action(async (node: string, flags: Flags) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const answer = orExit(await client.call('GET', at.path), flags.json);
      const running = (answer['leases'] as readonly LeaseView[]).find(
        (lease) => lease.node === node && ['granted', 'taken', 'dark', 'replacing'].includes(lease.state),
      );
      if (!running?.lease) return void orExit(refuse('lease-unknown', `${node} is not leased`), flags.json);
      const path = `${at.path}/${encodeURIComponent(running.lease)}/replace`;
      const body = flags.destroy.length === 0 ? {} : { destroys: flags.destroy };
      const done = await client.call('POST', path, body);
      const gone = done.ok ? undefined : (done.refusal.data?.['destroys'] as readonly string[] | undefined);
      if (gone === undefined || flags.json) {
        const listed = orExit(done, flags.json);
        printLeases(listed, flags.json);
        const all = listed['leases'] as readonly LeaseView[];
        if (!all.some(({ state }) => state === 'granted')) process.exitCode = 1;
        return;
      }
      console.log(
        `This would replace the pair of level ${running.level} of ${node}, leased to ${running.customer}, and destroy, now and for good:\n` +
          gone
            .map(
              (lease) =>
                `  the pair, the K and the key to all data of the lease ${lease}: images, volumes, logs, secrets, history\n`,
            )
            .join('') +
          `${running.customer} would have to take the lease anew.\n` +
          `To do it:  ${at.name} new-pair ${node} ${gone.map((lease) => `--destroy ${lease}`).join(' ')}`,
      );
      process.exitCode = 1;
    });
}
