import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { Command } from 'commander';
import { parseConsoleCard } from '../../protocol/console-card.js';
import { messageOf } from '../../protocol/log.js';
import { refuse, type Result } from '../../protocol/result.js';
import type { ConsoleKey } from '../../protocol/commands.js';
import { initNode } from '../main.js';
import { configForm } from '../node/config.js';
import { fail } from './output.js';

interface InitFlags {
  readonly dir: string;
  readonly landlord: string[];
  readonly name: string;
  readonly listen: string;
  readonly url?: string;
  readonly interface?: string;
  readonly address?: string[];
  readonly router?: string[];
  readonly dhcp?: boolean;
  readonly console?: string[];
  readonly gateway?: string[];
  readonly fileBytes?: string;
  readonly keyBits: string;
  readonly keys?: string;
  readonly tpm?: string;
  readonly pcr?: string[];
  readonly json?: boolean;
}

export function addInit(program: Command): void {
  program
    .command('init')
    .description(
      'Makes a node: its keys, its first state, and the card by which the landlord’s console knows it.',
    )
    .requiredOption('--dir <folder>', 'where the node keeps what it must remember')
    .requiredOption('--landlord <file...>', 'the public card of each console of the landlord')
    .option('--name <name>', 'what the node is called', hostname().toLowerCase())
    .option('--listen <host:port>', 'where consoles reach the node', '127.0.0.1:7443')
    .option('--url <url>', 'how consoles reach the node, if not by the address above')
    .option('--interface <name>', 'the interface whose traffic is filtered; without it nothing is enforced')
    .option(
      '--address <address...>',
      'the addresses of the node on that interface; with the length of their network (10.0.0.7/24) BMonitor puts them there',
    )
    .option('--router <address...>', 'the way to everywhere else: one router for IPv4, one for IPv6')
    .option('--dhcp', 'ask for the address of that interface by DHCP')
    .option('--console <address...>', 'addresses of consoles and gateways that no filter may cut off')
    .option('--gateway <url...>', 'gateways to dial out to, as wss://HOST:PORT[#PIN]')
    .option('--file-bytes <number>', 'what is set aside for the files of each lease; without it, 4 GiB')
    .option('--key-bits <bits>', 'size of the RSA pairs, 2048 to 4096', '3072')
    .option('--keys <store>', 'where the secrets rest: tpm or file; without it, tpm where there is one')
    .option('--tpm <tcti>', 'how tpm2-tools reach the TPM, if not through /dev/tpmrm0')
    .option('--pcr <number...>', 'the registers of the TPM that the secrets are bound to')
    .option('--json', 'print the card as JSON')
    .addHelpText(
      'after',
      `
Examples:
  bmonitor init --dir /var/lib/bmonitor --landlord console.pub.json --name web-1 \\
    --listen 10.0.0.7:7443 --interface eth0 \\
    --address 10.0.0.7/24 fd00:7::7/64 --router 10.0.0.1 fe80::1 --console 10.0.0.2
`,
    )
    .action(init);
}

async function init(flags: InitFlags): Promise<void> {
  const json = flags.json === true;
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(flags.listen) ?? [];
  const config = configForm(
    {
      name: flags.name,
      listen: { host: host.replace(/^\[|\]$/g, ''), port: Number(port) },
      keyBits: Number(flags.keyBits),
      keys: keysOf(flags),
      ...(flags.fileBytes === undefined ? {} : { data: { bytes: Number(flags.fileBytes) } }),
      ...(flags.interface === undefined ? {} : { interface: flags.interface }),
      ...(flags.address === undefined ? {} : { addresses: flags.address }),
      ...(flags.router === undefined ? {} : { routers: flags.router }),
      ...(flags.dhcp === undefined ? {} : { dhcp: flags.dhcp }),
      ...(flags.console === undefined ? {} : { consoles: flags.console }),
      ...(flags.gateway === undefined ? {} : { gateways: flags.gateway.map(gatewayOf) }),
    },
    '',
  );
  if (!config.ok) return fail(config.refusal, json);
  const landlord: ConsoleKey[] = [];
  for (const file of flags.landlord) {
    const card = await consoleIn(file);
    if (!card.ok) return fail({ ...card.refusal, where: file }, json);
    landlord.push(card.value);
  }
  const url = flags.url ?? `wss://${flags.listen}`;
  const card = await initNode({ folder: flags.dir, config: config.value, landlord, url });
  if (!card.ok) return fail(card.refusal, json);
  if (card.value.keyStore === 'file')
    process.stderr.write(
      'warning: the secrets of this node rest in a file: whoever copies its disk can become this node\n',
    );
  if (json) process.stdout.write(`${JSON.stringify(card.value)}\n`);
  else
    process.stdout.write(
      `made node ${card.value.name} in ${flags.dir}\n` +
        `give ${flags.dir}/card-0.json to the landlord’s console, then: bmonitor run --dir ${flags.dir}\n`,
    );
}

/** A machine with a TPM uses it unless told otherwise. */
function keysOf(flags: InitFlags): unknown {
  const tpm = flags.tpm !== undefined || existsSync('/dev/tpmrm0');
  return {
    store: flags.keys ?? (tpm ? 'tpm' : 'file'),
    ...(flags.tpm === undefined ? {} : { tcti: flags.tpm }),
    ...(flags.pcr === undefined ? {} : { pcrs: flags.pcr.map(Number) }),
  };
}

function gatewayOf(text: string): unknown {
  const [url = '', pin] = text.split('#');
  return { via: 'gateway', url, ...(pin === undefined ? {} : { pin }) };
}

async function consoleIn(file: string): Promise<Result<ConsoleKey>> {
  let content: string;
  try {
    content = await readFile(file, 'utf8');
  } catch (error) {
    return refuse('bad-input', messageOf(error));
  }
  const parsed = parseConsoleCard(content);
  if (!parsed.ok) return parsed;
  const { name, key } = parsed.value.card;
  return { ok: true, value: { name, key, role: 'administrator' } };
}
