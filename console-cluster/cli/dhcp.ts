import type { Command } from 'commander';
import { clientFor } from '../../console/cli/client.js';
import { ago, orExit, table } from '../../console/cli/output.js';
import { number } from '../../console/cli/options.js';
import { refuse } from '../../protocol/result.js';

interface Json {
  readonly json?: boolean;
}
interface Machine {
  readonly mac: string;
  readonly node: string;
  readonly pool: string;
  readonly fixed?: string;
}
interface View {
  readonly state: 'off' | 'serving' | 'failed';
  readonly why: string | null;
  readonly machines: readonly Machine[];
  readonly leases: readonly { readonly address: string; readonly mac?: string; readonly until: number }[];
  readonly waiting: readonly {
    readonly mac: string;
    readonly last: number;
    readonly asked: number;
    readonly hostname?: string;
    readonly vendorClass?: string;
  }[];
}
interface PoolFlags extends Json {
  readonly network: string;
  readonly first: string;
  readonly last: string;
  readonly router?: string[];
  readonly dns?: string[];
  readonly domain?: string;
  readonly gateway?: string;
  readonly lease: number;
}

export function dhcpCommands(program: Command, dirOf: () => string): void {
  const dhcp = program.command('dhcp').description('addresses for nodes (init --dhcp-interface)');
  const call = async (
    flags: Json,
    method: string,
    path: string,
    body?: object,
  ): Promise<Record<string, unknown>> =>
    orExit(
      await orExit(clientFor(dirOf()), flags.json).call(method, `/api/v1/dhcp${path}`, body),
      flags.json,
    );
  const view = async (flags: Json): Promise<View> => (await call(flags, 'GET', '')) as unknown as View;
  const standing = ({ state, why }: View): string =>
    state === 'serving' ? '' : `the DHCP server is ${state === 'off' ? 'off' : `NOT serving: ${why ?? ''}`}`;
  const told = (flags: Json, answer: object): void =>
    console.log(JSON.stringify(answer, null, flags.json ? 0 : 2));

  dhcp
    .command('leases')
    .option('--json', 'print JSON')
    .description('which machine holds which address, and the addresses that are fixed')
    .action(async (flags: Json) => {
      const it = await view(flags);
      if (flags.json) return console.log(JSON.stringify(it));
      const nodeOf = (mac: string): Machine | undefined => it.machines.find((one) => one.mac === mac);
      const rows = it.leases.map(({ address, mac, until }) => [
        address,
        mac ?? '(a stranger uses it)',
        mac === undefined ? '' : (nodeOf(mac)?.node ?? ''),
        until > Date.now() ? new Date(until).toISOString() : 'over',
        mac !== undefined && nodeOf(mac)?.fixed === address ? 'fixed' : '',
      ]);
      if (standing(it) !== '') console.log(standing(it));
      console.log(table(['ADDRESS', 'MACHINE', 'NODE', 'UNTIL', ''], rows));
    });
  dhcp
    .command('waiting')
    .option('--json', 'print JSON')
    .description('machines that asked for an address and are not known')
    .addHelpText('after', '\nTo give one an address, with which it can be adopted:  dhcp admit MACHINE NODE')
    .action(async (flags: Json) => {
      const it = await view(flags);
      if (flags.json) return console.log(JSON.stringify({ waiting: it.waiting }));
      const rows = it.waiting.map((one) => [
        one.mac,
        `${one.asked}`,
        ago(Date.now() - one.last),
        one.hostname ?? '',
        one.vendorClass ?? '',
      ]);
      if (standing(it) !== '') console.log(standing(it));
      console.log(table(['MACHINE', 'ASKED', 'LAST', 'NAME (unverified)', 'KIND (unverified)'], rows));
    });
  dhcp
    .command('pool')
    .argument('<name>', 'a cluster, or default')
    .requiredOption('--network <network>', 'as 10.0.0.0/24')
    .requiredOption('--first <address>', 'the first address that is given')
    .requiredOption('--last <address>', 'the last one')
    .option('--router <address...>', 'the way to everywhere else')
    .option('--dns <address...>', 'name servers')
    .option('--domain <domain>', 'the domain of the nodes')
    .option('--gateway <host:port#pin>', 'where nodes find a gateway; without it, that of this console')
    .option('--lease <seconds>', 'how long an address is held', number(60, 31 * 86_400), 86_400)
    .option('--json', 'print JSON')
    .description('define a pool of addresses')
    .addHelpText(
      'after',
      '\nExample:\n  dhcp pool default --network 10.0.0.0/24 --first 10.0.0.100 --last 10.0.0.199 --router 10.0.0.1',
    )
    .action(async (pool: string, flags: PoolFlags) => {
      const [network, length] = flags.network.split('/');
      const { first, last, router, dns, domain, gateway, lease } = flags;
      const some = { routers: router, dns, domain, gateway };
      const named = Object.fromEntries(Object.entries(some).filter(([, value]) => value !== undefined));
      const body = { network, length: Number(length), first, last, lease_s: lease, ...named };
      told(flags, await call(flags, 'PUT', `/pools/${encodeURIComponent(pool)}`, body));
    });
  dhcp
    .command('admit')
    .argument('<machine>', 'its hardware address')
    .argument('<node>', 'the name of the node that it is, or will be')
    .option('--pool <name>', 'without it, the pool of its cluster, else default')
    .option('--json', 'print JSON')
    .description('give addresses to a machine')
    .addHelpText('after', '\nExample:\n  dhcp admit 02:00:5e:00:00:01 web-1')
    .action(async (mac: string, node: string, flags: Json & { pool?: string }) => {
      const body = { node, ...(flags.pool === undefined ? {} : { pool: flags.pool }) };
      told(flags, await call(flags, 'PUT', `/machines/${encodeURIComponent(mac)}`, body));
    });
  dhcp
    .command('fix')
    .argument('<node>')
    .argument('<address>')
    .option('--json', 'print JSON')
    .description('give a node this address and no other')
    .addHelpText('after', '\nExample:\n  dhcp fix web-1 10.0.0.7')
    .action(async (node: string, fixed: string, flags: Json) => {
      const found = (await view(flags)).machines.filter((one) => one.node === node);
      const [only, ...others] = found;
      if (!only || others.length > 0)
        return void orExit(
          refuse('not-found', `${found.length} machines are ${node}; see dhcp leases`),
          flags.json,
        );
      const body = { node, pool: only.pool, fixed };
      told(flags, await call(flags, 'PUT', `/machines/${encodeURIComponent(only.mac)}`, body));
    });
  dhcp
    .command('forget')
    .argument('<machine>', 'its hardware address')
    .option('--json', 'print JSON')
    .description('give a machine no addresses any more; what it holds ends with its time')
    .action(async (mac: string, flags: Json) => {
      told(flags, await call(flags, 'DELETE', `/machines/${encodeURIComponent(mac)}`));
    });
}
