import { Command, InvalidArgumentError } from 'commander';
import { limits } from '../../protocol/limits.js';
import { logLevels, stderrLog, type LogLevel } from '../../protocol/log.js';
import type { Result } from '../../protocol/result.js';
import { packageVersion } from '../api/server.js';
import { answerWithinDefault_ms, type ConsoleConfig } from '../daemon/config.js';
import { openConsole, type ConsoleParts, type Serving } from '../daemon/daemon.js';
import { initConsole } from '../daemon/init.js';
import { newPassphraseFrom, passphraseOf } from '../keys/passphrase.js';
import { consoleFiles } from '../daemon/files.js';
import { auditCommands } from './audit.js';
import { clientFor } from './client.js';
import { completionCommand } from './completion.js';
import { filterCommands } from './filters.js';
import { groupCommands } from './groups.js';
import { keyCommands } from './keys.js';
import { nodeCommands } from './nodes.js';
import { orExit } from './output.js';
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

export function number(min: number, max: number): (value: string) => number {
  return (value) => {
    const parsed = Number(value);
    if (!/^[0-9]+$/.test(value) || parsed < min || parsed > max)
      throw new InvalidArgumentError(`A whole number from ${min} to ${max}.`);
    return parsed;
  };
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
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

interface InitFlags {
  readonly name: string;
  readonly api: string;
  readonly apiPort: number;
  readonly apiName: readonly string[];
  readonly gateway?: string;
  readonly gatewayPort: number;
  readonly dhcpInterface?: string;
  readonly dhcpAddress?: string;
  readonly askEvery: number;
  readonly answerWithin: number;
  readonly late: number;
  readonly unknown: number;
  readonly keyBits: number;
  readonly passphraseFile?: string;
  readonly json?: boolean;
}

function initCommand(program: Command, what: ConsoleProgram, dirOf: () => string): void {
  const init = program
    .command('init')
    .description('make the key, the token and the configuration of a new console')
    .option('--name <name>', 'the name of this console', what.name)
    .option(
      '--api <address>',
      'the address of API and page; another than loopback is served over TLS',
      '127.0.0.1',
    )
    .option('--api-port <port>', 'its port; 0 lets the system choose', number(0, 65_535), what.defaultPort)
    .option('--api-name <name>', 'a name under which browsers reach it (repeatable)', collect, [])
    .option('--ask-every <ms>', 'how often nodes are asked', number(100, 3_600_000), 5000)
    .option(
      '--answer-within <ms>',
      'an answer that takes longer is late',
      number(10, 3_600_000),
      answerWithinDefault_ms,
    )
    .option('--late <ms>', 'nothing heard for so long: silent', number(200, 3_600_000), 12_000)
    .option('--unknown <ms>', 'nothing heard for so long: unknown', number(200, 86_400_000), 30_000)
    .option('--key-bits <bits>', 'size of the RSA key', number(2048, 4096), 3072)
    .option('--passphrase-file <file>', 'where the passphrase of the key is; without it you are asked')
    .option('--json', 'print JSON');
  if (what.hasGateway)
    init
      .option('--gateway <address>', 'the address where nodes and remote consoles dial in; absent, none')
      .option('--gateway-port <port>', 'its port', number(0, 65_535), 7443)
      .option(
        '--dhcp-interface <name>',
        'where addresses are given to nodes by DHCP; needs root or CAP_NET_RAW',
      )
      .option(
        '--dhcp-address <address>',
        'the own address on that interface; without it, that of the gateway',
      );
  init.action(async (flags: InitFlags) => {
    const config: ConsoleConfig = {
      v: 1,
      name: flags.name,
      api: { host: flags.api, port: flags.apiPort, names: flags.apiName },
      ...(flags.gateway === undefined ? {} : { gateway: { host: flags.gateway, port: flags.gatewayPort } }),
      ...(flags.dhcpInterface === undefined
        ? {}
        : {
            dhcp: {
              interface: flags.dhcpInterface,
              address: flags.dhcpAddress ?? flags.gateway ?? flags.api,
            },
          }),
      askEvery_ms: flags.askEvery,
      answerWithin_ms: flags.answerWithin,
      late_ms: flags.late,
      unknown_ms: flags.unknown,
    };
    const passphrase = orExit(await newPassphraseFrom(flags.passphraseFile));
    const made = orExit(await initConsole({ dir: dirOf(), config, passphrase, keyBits: flags.keyBits }));
    passphrase.wipe();
    if (flags.json) console.log(JSON.stringify(made));
    else
      console.log(
        `${what.name} ${flags.name} is ready in ${dirOf()}\n` +
          `  key   ${made.id}\n  card  ${made.card}  (give this to who enrolls this console)`,
      );
  });
}

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
      let parts = orExit(await openConsole(dirOf(), passphrase, log));
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
        parts = orExit(await openConsole(dirOf(), parts.sealer, log));
        serving = orExit(await what.serve(parts));
        log.info('listening', { api: serving.api.url, key: parts.pair.public.id });
      }
    });
}

function openCommand(program: Command, dirOf: () => string): void {
  program
    .command('open')
    .description('print a link that opens the page, once, within two minutes')
    .action(async () => {
      const client = orExit(clientFor(dirOf()));
      const { code } = orExit(await client.call('POST', '/api/v1/login-links'));
      console.log(`${client.url}/#login=${String(code)}`);
    });
}
