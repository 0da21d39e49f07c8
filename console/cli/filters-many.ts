import { watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Command } from 'commander';
import { clientFor } from './client.js';
import { bodyFrom, differencesOf, fitsOf, fitText, type Flags } from './filters-asked.js';
import { editFilters } from './filters-edit.js';
import { tryOn } from './filters-try.js';
import { orExit, refusalText } from './output.js';

const namesOption = [
  '--names <file>',
  'what the names in it stand for; nodes of this console are known',
] as const;
const exits = { fits: 0, doesNot: 1 } as const;

/** Filters for one or many nodes: looked at while they are written, tried, compared, applied to all or none. */
export function manyFilterCommands(filters: Command, dirOf: () => string): void {
  filters
    .command('check')
    .argument('<file>', 'a filter set')
    .argument('<targets...>', 'nodes, or group:NAME')
    .option(...namesOption)
    .option('--watch', 'again whenever the file is saved')
    .option('--json', 'print JSON')
    .description('does the set fit on these nodes? Exit code 0: on all, 1: not, or not known')
    .addHelpText(
      'after',
      '\nExamples:\n  filters check web.json group:web\n  filters check web.json node-1 --watch',
    )
    .action(async (file: string, targets: readonly string[], flags: Flags & { watch?: boolean }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const look = async (): Promise<boolean> => {
        const body = bodyFrom(file, targets, flags);
        const fits = body.ok ? await fitsOf(client, body.value) : body;
        if (!fits.ok) {
          console.error(flags.json ? JSON.stringify({ error: fits.refusal }) : refusalText(fits.refusal));
          return false;
        }
        console.log(flags.json ? JSON.stringify({ fits: fits.value }) : fits.value.map(fitText).join('\n'));
        return fits.value.every(({ within }) => within === true);
      };
      process.exitCode = (await look()) ? exits.fits : exits.doesNot;
      if (!flags.watch) return;
      // Editors often put a new file in the place of the old one, so the folder is watched.
      let soon: NodeJS.Timeout | undefined;
      watch(dirname(file), (_event, name) => {
        if (name !== basename(file)) return;
        // The first save of several is not put off by those that follow it.
        soon ??= setTimeout(() => {
          soon = undefined;
          void look();
        }, 100);
      });
    });
  filters
    .command('diff')
    .argument('<file>', 'a filter set')
    .argument('<targets...>', 'nodes, or group:NAME')
    .option(...namesOption)
    .option('--json', 'print JSON')
    .description('what the set would newly allow (+) and newly refuse (-) there')
    .action(async (file: string, targets: readonly string[], flags: Flags) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const body = orExit(bodyFrom(file, targets, flags), flags.json);
      if (flags.json)
        return console.log(
          JSON.stringify(orExit(await client.call('POST', '/api/v1/filters/difference', body), true)),
        );
      console.log(orExit(await differencesOf(client, body)).text);
    });
  filters
    .command('try')
    .argument('<file>', 'a filter set')
    .argument('<node>')
    .requiredOption('--capture <file>', 'a pcap file of the node’s traffic')
    .option(...namesOption)
    .option('--json', 'print one JSON object a line')
    .description('what would become of the packets of a capture, with this set under the levels above')
    .action(async (file: string, node: string, flags: Flags & { capture: string }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const asked = orExit(bodyFrom(file, [node], flags), flags.json);
      const done = await tryOn(client, { node, asked, capture: flags.capture }, (n, outcome) =>
        console.log(
          flags.json ? JSON.stringify({ n, ...outcome }) : `${n}  ${outcome.verdict}  ${outcome.reason}`,
        ),
      );
      orExit(done, flags.json);
    });
  filters
    .command('apply-all')
    .argument('<file>', 'a filter set')
    .argument('<targets...>', 'nodes, or group:NAME')
    .option(...namesOption)
    .option('--json', 'print JSON')
    .description('replace the filters of all these nodes: all take it, or none does')
    .addHelpText('after', '\nExample:\n  filters apply-all web.json group:web')
    .action(async (file: string, targets: readonly string[], flags: Flags) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const body = orExit(bodyFrom(file, targets, flags), flags.json);
      const answer = orExit(await client.call('POST', '/api/v1/filters/apply', body), flags.json);
      if (flags.json) return console.log(JSON.stringify(answer));
      for (const [node, version] of Object.entries(answer['versions'] as Record<string, number>))
        console.log(`${node} enforces version ${version}`);
    });
  filters
    .command('edit')
    .argument('<targets...>', 'nodes, or group:NAME; the filters of the first are what you begin with')
    .option('--capture <file>', 'a pcap file of the first node’s traffic, tried whenever the set fits')
    .description(
      'edit in $EDITOR; proved at every save, compared with what stands there, applied to all or none',
    )
    .addHelpText(
      'after',
      `
Examples:
  filters edit node-1
  EDITOR=nano filters edit group:web --capture seen.pcap

While the editor is open, the verdict of each save stands in the title of the terminal and in verdict.txt beside the file.
An editor that ends with an error (:cq in vi) applies nothing. Exit codes: 0 applied or nothing changed, 1 refused or left, 2 bad input.`,
    )
    .action(async (targets: readonly string[], flags: { capture?: string }) => {
      process.exitCode = await editFilters(orExit(clientFor(dirOf())), targets, flags.capture);
    });
}
