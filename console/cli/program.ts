import { Command } from 'commander';
import { limits } from '../../protocol/limits.js';
import { logLevels, stderrLog, type LogLevel } from '../../protocol/log.js';
import type { Result } from '../../protocol/result.js';
import { packageVersion } from '../api/version.js';
import type { ConsoleParts, Serving } from '../daemon/daemon.js';
import { consoleFiles } from '../daemon/files.js';
import { passphraseOf } from '../keys/passphrase.js';
import { auditCommands } from './audit.js';
import { clientFor } from './client.js';
import { completionCommand } from './completion.js';
import { filterCommands } from './filters.js';
import { groupCommands } from './groups.js';
import { initCommand } from './init.js';
import { keyCommands } from './keys.js';
import { nodeCommands } from './nodes.js';
import { exits, orExit, say } from './output.js';
import { proofCommands } from './proofs.js';
import { rosterCommands } from './roster.js';

export interface ConsoleProgram {
  readonly name: 'console-cluster' | 'console-app';
  readonly about: string;
  readonly defaultDir: string;
  readonly defaultPort: number;
  readonly hasGateway: boolean;
  serve(parts: ConsoleParts): Promise<Result<Serving>>;
}

/** The command line that both consoles share. `dirOf` finds the directory that `--dir` names, wherever it stands. */
export function consoleProgram(what: ConsoleProgram): { program: Command; dirOf: () => string } {
  const program = new Command(what.name);
  const dirOf = (): string => program.opts<{ dir: string }>().dir;
  program
    .description(what.about)
    .version(packageVersion())
    .option('--dir <dir>', 'the directory of this console', what.defaultDir)
    .showHelpAfterError('(add --help for the options)')
    .exitOverride((stop) => process.exit(stop.exitCode === 0 ? exits.done : exits.badInput))
    .addHelpText(
      'after',
      `
Examples:
  ${what.name} --dir ./c init --name my-console --passphrase-file ./passphrase
  ${what.name} --dir ./c run --passphrase-file ./passphrase
  ${what.name} --dir ./c nodes add ./node-1.card.json
  ${what.name} --dir ./c nodes list --watch
  ${what.name} --dir ./c open`,
    );
  initCommand(program, what, dirOf);
  runCommand(program, what, dirOf);
  openCommand(program, dirOf);
  nodeCommands(program, dirOf);
  proofCommands(program, dirOf);
  rosterCommands(program, dirOf);
  filterCommands(program, dirOf);
  groupCommands(program, dirOf);
  keyCommands(program, dirOf);
  auditCommands(program, dirOf);
  completionCommand(program);
  return { program, dirOf };
}

/** EX_TEMPFAIL: not an error of ours; start it again. */
const exitTurnLost = 75;

function runCommand(program: Command, what: ConsoleProgram, dirOf: () => string): void {
  program
    .command('run')
    .description('run the daemon in the foreground')
    .option(
      '--passphrase-file <file>',
      'where the passphrase of the key is; without it, the store that keeps it (key keep), or you are asked',
    )
    .option('--log-level <level>', `one of ${logLevels.join(', ')}`, 'info')
    .action(async (flags: { passphraseFile?: string; logLevel: string }) => {
      const level = logLevels.find((known): known is LogLevel => known === flags.logLevel);
      if (!level) return program.error(`--log-level is one of ${logLevels.join(', ')}`);
      const passphrase = orExit(await passphraseOf(consoleFiles(dirOf()), flags.passphraseFile));
      const log = stderrLog(level).with({ console: what.name });
      // With nothing more to be done by this process, whoever supervises it starts it again, to stand by.
      const lost = (why: string): void => {
        log.error('turn-lost', { why });
        process.exit(exitTurnLost);
      };
      const { openConsole } = await import('../daemon/daemon.js');
      let parts = orExit(await openConsole(dirOf(), passphrase, log, lost));
      passphrase.wipe();
      let serving = orExit(await what.serve(parts));
      log.info('listening', { api: serving.api.url, key: parts.pair.public.id });
      const stop = (signal: string): void => {
        log.info('stopping', { signal });
        setTimeout(() => process.exit(1), limits.stop_ms_max).unref();
        void serving.close().then(() => process.exit(0));
      };
      process.once('SIGINT', stop);
      process.once('SIGTERM', stop);
      // Its key was replaced: everything begins anew under the next one, as after a restart.
      for (;;) {
        await parts.turned;
        await serving.close();
        parts = orExit(await openConsole(dirOf(), parts.sealer, log, lost));
        serving = orExit(await what.serve(parts));
        log.info('listening', { api: serving.api.url, key: parts.pair.public.id });
      }
    });
}

function openCommand(program: Command, dirOf: () => string): void {
  program
    .command('open')
    .option('--json', 'print JSON')
    .description('print a link that opens the page, once, within two minutes')
    .action(async (flags: { json?: boolean }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const { code } = orExit(await client.call('POST', '/api/v1/login-links'), flags.json);
      const link = `${client.url}/#login=${String(code)}`;
      say(flags, { link }, link);
    });
}
