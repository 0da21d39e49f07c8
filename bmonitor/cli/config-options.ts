import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Command } from 'commander';
import type { Result } from '../../protocol/result.js';
import { configForm, type Config } from '../node/config.js';

/** What both ways to make a node are told of its machine. */
export interface ConfigFlags {
  readonly dir: string;
  readonly name: string;
  readonly listen: string;
  readonly url?: string;
  readonly interface?: string;
  readonly address?: string[];
  readonly router?: string[];
  readonly dhcp?: boolean;
  readonly engineAddress?: string[];
  readonly console?: string[];
  readonly gateway?: string[];
  readonly fileBytes?: string;
  readonly fileStore?: string;
  readonly keyBits: string;
  readonly keys?: string;
  readonly tpm?: string;
  readonly pcr?: string[];
  readonly json?: boolean;
}

export function withConfigOptions(command: Command): Command {
  return command
    .requiredOption('--dir <folder>', 'where the node keeps what it must remember')
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
    .option(
      '--engine-address <address...>',
      'more addresses of the node, each for an engine that names it as its own; BMonitor puts them there',
    )
    .option('--console <address...>', 'addresses of consoles and gateways that no filter may cut off')
    .option('--gateway <url...>', 'gateways to dial out to, as wss://HOST:PORT[#PIN]')
    .option('--file-bytes <number>', 'what is set aside for the files of each lease; without it, 4 GiB')
    .option('--file-store <kind>', 'how they are encrypted, fscrypt or luks; without it, as the kernel can')
    .option('--key-bits <bits>', 'size of the RSA pairs, 2048 to 4096', '3072')
    .option('--keys <store>', 'where the secrets rest: tpm or file; without it, tpm where there is one')
    .option('--tpm <tcti>', 'how tpm2-tools reach the TPM, if not through /dev/tpmrm0')
    .option('--pcr <number...>', 'the registers of the TPM that the secrets are bound to');
}

export function configFrom(flags: ConfigFlags): Result<Config> {
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(flags.listen) ?? [];
  return configForm(
    {
      name: flags.name,
      listen: { host: host.replace(/^\[|\]$/g, ''), port: Number(port) },
      keyBits: Number(flags.keyBits),
      keys: keysOf(flags),
      ...(flags.fileBytes === undefined && flags.fileStore === undefined
        ? {}
        : {
            data: {
              ...(flags.fileBytes === undefined ? {} : { bytes: Number(flags.fileBytes) }),
              ...(flags.fileStore === undefined ? {} : { store: flags.fileStore }),
            },
          }),
      ...(flags.interface === undefined ? {} : { interface: flags.interface }),
      ...(flags.address === undefined ? {} : { addresses: flags.address }),
      ...(flags.router === undefined ? {} : { routers: flags.router }),
      ...(flags.dhcp === undefined ? {} : { dhcp: flags.dhcp }),
      ...(flags.engineAddress === undefined ? {} : { engines: { addresses: flags.engineAddress } }),
      ...(flags.console === undefined ? {} : { consoles: flags.console }),
      ...(flags.gateway === undefined ? {} : { gateways: flags.gateway.map(gatewayOf) }),
    },
    '',
  );
}

/** A machine with a TPM uses it unless told otherwise. */
function keysOf(flags: ConfigFlags): unknown {
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

export const fileWarning =
  'warning: the secrets of this node rest in a file: whoever copies its disk can become this node\n';
