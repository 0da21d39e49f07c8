import type { Command } from 'commander';
import { refuse, type Result } from '../../protocol/result.js';
import { answerWithinDefault_ms, storeForm, type ConsoleConfig } from '../daemon/config.js';
import { consoleFiles, readFileLimited, readSecretFile, writeFileWhole } from '../daemon/files.js';
import type { Initialised } from '../daemon/init.js';
import { newPassphraseFrom, passphraseFrom } from '../keys/passphrase.js';
import { orExit } from './output.js';
import { collect, number } from './options.js';

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
  readonly nodeKeyBits?: number;
  readonly passphraseFile?: string;
  readonly store?: string;
  readonly storeTokenFile?: string;
  readonly instance?: string;
  readonly like?: string;
  readonly json?: boolean;
}

export function initCommand(
  program: Command,
  what: { readonly name: string; readonly defaultPort: number; readonly hasGateway: boolean },
  dirOf: () => string,
): void {
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
    .option(
      '--node-key-bits <bits>',
      'speak with no node that has a shorter RSA key, nor let it make one',
      number(2048, 4096),
    )
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
      )
      .option(
        '--store <address>',
        'the store service that this console shares with others: wss://HOST:PORT#PIN',
      )
      .option('--store-token-file <file>', 'the file `token` of the store service')
      .option('--instance <name>', 'tells this console from the others that share its store')
      .option('--like <file>', 'be the console that `twin` wrote to this file, on another machine');
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
      ...(flags.store === undefined ? {} : { store: orExit(storeFrom(flags.store), flags.json) }),
      ...(flags.instance === undefined ? {} : { instance: flags.instance }),
      ...(flags.nodeKeyBits === undefined ? {} : { nodeKeyBits: flags.nodeKeyBits }),
      askEvery_ms: flags.askEvery,
      answerWithin_ms: flags.answerWithin,
      late_ms: flags.late,
      unknown_ms: flags.unknown,
    };
    const make = flags.like === undefined ? initAnew : initLike;
    const made = orExit(await make(dirOf(), config, flags), flags.json);
    if (flags.json) console.log(JSON.stringify(made));
    else
      console.log(
        `${what.name} ${flags.name} is ready in ${dirOf()}\n` +
          `  key   ${made.id}\n  card  ${made.card}  (give this to who enrolls this console)`,
      );
  });
}

/** `wss://HOST:PORT#PIN`, as `store address` prints it. */
function storeFrom(address: string): Result<NonNullable<ConsoleConfig['store']>> {
  const [url = '', pin = ''] = address.split('#');
  return storeForm({ url, pin }, '--store');
}

async function initAnew(dir: string, config: ConsoleConfig, flags: InitFlags): Promise<Result<Initialised>> {
  if ((config.store === undefined) !== (flags.storeTokenFile === undefined))
    return refuse('bad-input', '--store and --store-token-file go together', { where: '--store' });
  const token = flags.storeTokenFile === undefined ? undefined : readSecretFile(flags.storeTokenFile);
  if (token?.ok === false) return token;
  const passphrase = await newPassphraseFrom(flags.passphraseFile);
  if (!passphrase.ok) return passphrase;
  const { initConsole } = await import('../daemon/init.js');
  const made = await initConsole({ dir, config, passphrase: passphrase.value, keyBits: flags.keyBits });
  passphrase.value.wipe();
  if (!made.ok || !token) return made;
  const kept = writeFileWhole(consoleFiles(dir).storeToken, token.value);
  return kept.ok ? made : kept;
}

async function initLike(dir: string, own: ConsoleConfig, flags: InitFlags): Promise<Result<Initialised>> {
  const twin = readFileLimited(flags.like ?? '');
  if (!twin.ok) return twin;
  const passphrase = await passphraseFrom(flags.passphraseFile, 'Passphrase: ');
  if (!passphrase.ok) return passphrase;
  const { api, gateway, dhcp, instance } = own;
  const differs = {
    api,
    ...(gateway ? { gateway } : {}),
    ...(dhcp ? { dhcp } : {}),
    ...(instance === undefined ? {} : { instance }),
  };
  const { initFromTwin } = await import('../daemon/twin.js');
  const made = await initFromTwin(dir, twin.value.toString(), passphrase.value, differs);
  passphrase.value.wipe();
  return made;
}
