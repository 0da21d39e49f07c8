import type { Command } from 'commander';
import { clientFor } from '../../console/cli/client.js';
import { orExit, say, table } from '../../console/cli/output.js';
import { readConfig } from '../../console/daemon/config.js';
import { ownGateway } from '../../console/daemon/own-gateway.js';
import { consoleFiles, readFileLimited } from '../../console/daemon/files.js';
import { refuse } from '../../protocol/result.js';

interface View {
  readonly nodes: readonly string[];
  readonly consoles: number;
  readonly channels: number;
  readonly waiting: readonly { readonly id: string; readonly source: string; readonly at: number }[];
}

/** The gateway of this console: where it is, and who has come. */
export function gatewayCommands(program: Command, dirOf: () => string): void {
  const gateway = program.command('gateway').description('where nodes and remote consoles dial in');
  gateway
    .command('address')
    .option('--json', 'print JSON')
    .description('print what a node is given as --gateway: the address and the pin of its key')
    .addHelpText(
      'after',
      '\nExample:\n  bmonitor init … --gateway "$(console-cluster --dir D gateway address)"',
    )
    .action((flags: { json?: boolean }) => {
      const files = consoleFiles(dirOf());
      const config = orExit(readConfig(files.config), flags.json);
      const certificate = orExit(readFileLimited(files.tlsCertificate), flags.json).toString();
      const [way] = ownGateway(config, certificate);
      const none = refuse('not-found', 'this console has no gateway (init --gateway ADDRESS)');
      if (!way) return void orExit(none, flags.json);
      const address = `${way.url}#${way.pin ?? ''}`;
      say(flags, { address }, address);
    });
  gateway
    .command('show')
    .option('--json', 'print JSON')
    .description('who has dialled it, and which nodes wait to be adopted')
    .action(async (flags: { json?: boolean }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const answer = orExit(await client.call('GET', '/api/v1/gateway'), flags.json);
      if (flags.json) return console.log(JSON.stringify(answer));
      const view = answer as unknown as View;
      console.log(`${view.nodes.length} nodes, ${view.consoles} consoles, ${view.channels} channels`);
      if (view.waiting.length === 0) return;
      console.log('waiting to be adopted:');
      const rows = view.waiting.map(({ id, source, at }) => [id, source, new Date(at).toISOString()]);
      console.log(table(['IDENTITY', 'FROM', 'LAST KNOCKED'], rows));
    });
}
