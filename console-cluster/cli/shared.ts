import type { Command } from 'commander';
import { number } from '../../console/cli/options.js';
import { clientFor } from '../../console/cli/client.js';
import { orExit, say, table } from '../../console/cli/output.js';
import { consoleFiles, writeFileWhole } from '../../console/daemon/files.js';
import type { RedundancyView } from '../../console/daemon/shared.js';
import { passphraseOf } from '../../console/keys/passphrase.js';
import { limits } from '../../protocol/limits.js';
import { stderrLog } from '../../protocol/log.js';

/** Several consoles over one store: the service that keeps it, the second console, and who works. */
export function sharedCommands(program: Command, dirOf: () => string): void {
  storeCommands(program, dirOf);
  program
    .command('twin')
    .requiredOption('--out <file>', 'the file to write')
    .option('--passphrase-file <file>', 'where the passphrase of the key is; without it you are asked')
    .option('--json', 'print JSON')
    .description('write what makes a second machine the same console, sealed under the passphrase')
    .addHelpText(
      'after',
      '\nExample:\n  twin --out ./console.twin            here\n' +
        '  init --like ./console.twin --instance b --api 192.0.2.12 --gateway 192.0.2.12     on the second machine',
    )
    .action(async (flags: { out: string; passphraseFile?: string; json?: boolean }) => {
      const passphrase = orExit(await passphraseOf(consoleFiles(dirOf()), flags.passphraseFile));
      const { makeTwin } = await import('../../console/daemon/twin.js');
      const twin = orExit(await makeTwin(dirOf(), passphrase));
      passphrase.wipe();
      orExit(writeFileWhole(flags.out, twin));
      say(
        flags,
        { file: flags.out },
        `written to ${flags.out}; whoever has it and the passphrase is this console`,
      );
    });
  program
    .command('redundancy')
    .option('--json', 'print JSON')
    .description('which of the consoles that share a store works, and which stand by')
    .action(async (flags: { json?: boolean }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const answer = orExit(await client.call('GET', '/api/v1/redundancy'), flags.json);
      if (flags.json) return console.log(JSON.stringify(answer));
      const { instance, holder, instances } = answer as unknown as RedundancyView;
      const rows = instances.map(({ name, api, gateway, seen }) => [
        name === instance ? `${name} (this one)` : name,
        name === holder ? 'works' : Date.now() - seen > 3 * limits.turn_ms ? 'not seen' : 'stands by',
        api,
        gateway ?? '-',
        new Date(seen).toISOString(),
      ]);
      console.log(table(['CONSOLE', 'DOES', 'API', 'GATEWAY', 'SEEN'], rows));
    });
}

const service = async () => import('../../console/daemon/store-service.js');

interface StoreFlags {
  readonly listen: string;
  readonly port: number;
  readonly keyBits: number;
  readonly json?: boolean;
}

function storeCommands(program: Command, dirOf: () => string): void {
  const store = program.command('store').description('a store service, which several consoles share');
  store
    .command('init')
    .requiredOption('--listen <address>', 'where consoles reach it')
    .option('--port <port>', 'its port', number(0, 65_535), 7450)
    .option('--key-bits <bits>', 'size of its RSA key', number(2048, 4096), 3072)
    .option('--json', 'print JSON')
    .description('make the key and the token of a store service in the directory that --dir names')
    .addHelpText(
      'after',
      '\nExample:\n  --dir /var/lib/console-store store init --listen 192.0.2.10\n' +
        '  --dir /var/lib/console-store store run\n' +
        '  init --store "$(console-cluster --dir /var/lib/console-store store address)" --store-token-file /var/lib/console-store/token',
    )
    .action(async ({ listen: host, port, keyBits, json }: StoreFlags) => {
      const { initStore, storeAddress } = await service();
      orExit(await initStore(dirOf(), { host, port, keyBits }), json);
      const address = orExit(storeAddress(dirOf()), json);
      say({ json }, { dir: dirOf(), address }, `a store service is ready in ${dirOf()}: ${address}`);
    });
  store
    .command('address')
    .option('--json', 'print JSON')
    .description('print what a console is given as --store: the address and the pin of its key')
    .action(async (flags: { json?: boolean }) => {
      const { storeAddress } = await service();
      const address = orExit(storeAddress(dirOf()), flags.json);
      say(flags, { address }, address);
    });
  store
    .command('run')
    .description('run the store service in the foreground')
    .action(async () => {
      const log = stderrLog('info').with({ console: 'store' });
      const { runStore } = await service();
      const running = orExit(await runStore(dirOf(), log));
      const stop = (): void => {
        setTimeout(() => process.exit(1), limits.stop_ms_max).unref();
        void running.close().then(() => process.exit(0));
      };
      process.once('SIGINT', stop);
      process.once('SIGTERM', stop);
    });
}
