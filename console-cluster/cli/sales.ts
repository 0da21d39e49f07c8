import type { Command } from 'commander';
import { clientFor, type ApiClient } from '../../console/cli/client.js';
import { collect } from '../../console/cli/options.js';
import { orExit, say, table } from '../../console/cli/output.js';
import { readFileLimited, writeFileWhole } from '../../console/daemon/files.js';
import { parseConsoleCard } from '../../protocol/console-card.js';
import { parseJson } from '../../protocol/json.js';
import { saleForm } from '../../protocol/sale.js';

interface Json {
  readonly json?: boolean;
}

interface SellFlags extends Json {
  readonly to: readonly string[];
  readonly keepLeases?: boolean;
  readonly destroy: readonly string[];
  readonly reachedFrom: readonly string[];
  readonly out?: string;
}

interface SaleLine {
  readonly node: string;
  readonly state: 'selling' | 'passing' | 'sold' | 'refused';
  readonly to: readonly { readonly name: string; readonly id: string }[];
  readonly below: 'end' | 'keep';
  readonly trouble: string | null;
  readonly at: number;
  readonly receipts: readonly string[];
}

/** A node changes hands: sold from here, or bought. Added to the commands on nodes that both consoles have. */
export function saleCommands(program: Command, dirOf: () => string): void {
  const nodes = program.commands.find((command) => command.name() === 'nodes');
  if (!nodes) throw new Error('both consoles have the command nodes');
  sellCommand(nodes, dirOf);
  buyCommand(nodes, dirOf);
  nodes
    .command('sold')
    .argument('[name]', 'the node whose file for the buyer is wanted')
    .option('--out <file>', 'where to write that file')
    .option('--json', 'print JSON')
    .description('nodes that were sold or are being sold; with a name, the file for its buyer')
    .addHelpText('after', '\nExamples:\n  nodes sold\n  nodes sold web-1 --out web-1.sale.json')
    .action(async (name: string | undefined, flags: Json & { out?: string }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      if (name !== undefined) {
        const sale = await saleOf(client, name, flags.json);
        if (flags.out !== undefined) orExit(writeFileWhole(flags.out, sale), flags.json);
        else process.stdout.write(sale);
        return;
      }
      const answer = orExit(await client.call('GET', '/api/v1/sales'), flags.json);
      if (flags.json) return console.log(JSON.stringify(answer));
      const sales = answer['sales'] as readonly SaleLine[];
      if (sales.length === 0) return console.log('no node was sold');
      const rows = sales.map(({ node, state, to, below, trouble, at }) => [
        node,
        state,
        to[0]?.name ?? '',
        below === 'keep' ? 'goes on' : 'ended',
        new Date(at).toISOString().slice(0, 16).replace('T', ' '),
        trouble ?? '',
      ]);
      console.log(table(['NODE', 'STATE', 'BUYER', 'LEASE', 'SINCE', 'TROUBLE'], rows));
    });
}

async function saleOf(client: ApiClient, node: string, json = false): Promise<string> {
  const path = `/api/v1/sales/${encodeURIComponent(node)}`;
  return `${JSON.stringify(orExit(await client.call('GET', path), json)['sale'], null, 2)}\n`;
}

function sellCommand(nodes: Command, dirOf: () => string): void {
  nodes
    .command('sell')
    .argument('<name>')
    .requiredOption(
      '--to <card>',
      'the public card of a console of the buyer (repeatable; the first is the holder)',
      collect,
      [],
    )
    .option('--keep-leases', 'the lease goes on; every level below must have agreed to this buyer')
    .option('--destroy <lease>', 'names a lease whose keys and data this destroys (repeatable)', collect, [])
    .option(
      '--reached-from <address>',
      'from where the buyer’s consoles reach the node (repeatable)',
      collect,
      [],
    )
    .option('--out <file>', 'write the file for the buyer too')
    .option('--json', 'print JSON')
    .description('hand a node to another landlord; without --destroy, shows what that would destroy')
    .addHelpText(
      'after',
      `
Compare the thumbprint of the buyer's card by telephone first: whoever has that key commands the node from then on.
With --keep-leases each level below says before:  console-app keys consent NODE --to LEASE --transfer THUMBPRINT

Examples:
  nodes sell web-1 --to buyer.pub.json                          shows what it would destroy
  nodes sell web-1 --to buyer.pub.json --destroy 3q2-796tvu_erb7v3q2-7w --out web-1.sale.json
  nodes sell web-1 --to buyer.pub.json --reached-from 192.0.2.7 --keep-leases --destroy 3q2-796tvu_erb7v3q2-7w

Exit codes: 0 sold, 1 refused, not named, or not answered yet (it is asked again by itself; see nodes sold), 2 bad input.`,
    )
    .action(async (node: string, flags: SellFlags) => {
      const cards = flags.to.map((path) =>
        orExit(parseConsoleCard(orExit(readFileLimited(path), flags.json)), flags.json),
      );
      const client = orExit(clientFor(dirOf()), flags.json);
      const body = {
        to: cards.map(({ card }) => card),
        below: flags.keepLeases === true ? 'keep' : 'end',
        ...(flags.destroy.length > 0 ? { destroys: flags.destroy } : {}),
        ...(flags.reachedFrom.length > 0 ? { consoles: flags.reachedFrom } : {}),
      };
      const done = await client.call('POST', `/api/v1/nodes/${encodeURIComponent(node)}/sell`, body);
      const gone = done.ok ? undefined : (done.refusal.data?.['destroys'] as readonly string[] | undefined);
      if (gone !== undefined && !flags.json && flags.destroy.length === 0) {
        const buyer = cards.map(({ card, key }) => `${card.name}  ${key.id}`);
        console.log(wouldDestroy(node, flags, gone, buyer));
        process.exitCode = 1;
        return;
      }
      const sale = orExit(done, flags.json) as unknown as SaleLine;
      if (flags.out !== undefined)
        orExit(writeFileWhole(flags.out, await saleOf(client, node, flags.json)), flags.json);
      const isSold = sale.state === 'sold' || sale.state === 'passing';
      say(flags, sale, isSold ? soldText(sale, flags.out) : waitsText(sale, flags.out));
      if (!isSold) process.exitCode = 1;
    });
}

function wouldDestroy(
  node: string,
  flags: SellFlags,
  gone: readonly string[],
  buyer: readonly string[],
): string {
  const keep = flags.keepLeases === true ? ' --keep-leases' : '';
  const from = flags.reachedFrom.map((address) => ` --reached-from ${address}`).join('');
  return [
    `This would hand ${node} to another landlord now, who speaks with`,
    ...buyer.map((line) => `  ${line}`),
    '(compare that by telephone), and destroy, on the node and for good:',
    ...gone.map(
      (lease, at) =>
        `  the pair, the K and the key to all data of ${at === 0 ? 'your own level' : `level ${at}`}, the lease ${lease}`,
    ),
    flags.keepLeases === true
      ? 'The lease below goes on under the new landlord.'
      : 'Engines end with their lease. Nobody gets any of it back, the buyer included.',
    'This console can command the node no more.',
    `To do it:  nodes sell ${node}${flags.to.map((path) => ` --to ${path}`).join('')}${keep}${from}${gone.map((lease) => ` --destroy ${lease}`).join('')}`,
  ].join('\n');
}

function soldText({ node, to, receipts }: SaleLine, out: string | undefined): string {
  const file =
    out === undefined ? `nodes sold ${node} --out FILE writes the file for it` : `${out} is for it`;
  return `${node} is sold to ${to[0]?.name ?? ''}; ${receipts.length} receipts. ${file}: nodes buy takes the node in there`;
}

function waitsText({ node, trouble }: SaleLine, out: string | undefined): string {
  return [
    `${node} has not answered yet (${trouble ?? 'no answer'}): it is asked again until it is known what became of it; see nodes sold.`,
    ...(out === undefined
      ? []
      : [`${out} is good as it is: where the node was handed on, it tells the buyer the rest by itself.`]),
  ].join('\n');
}

interface Bought {
  readonly node: string;
  readonly verified: boolean;
  readonly lease: string;
  readonly leases: readonly { readonly lease: string; readonly customer: string }[];
}

function buyCommand(nodes: Command, dirOf: () => string): void {
  nodes
    .command('buy')
    .argument('<sale>', 'the file that the seller gave')
    .option('--pin <thumbprint>', 'the identity on the node’s label')
    .option('--name <name>', 'what the node is called here, if not as there')
    .option('--json', 'print JSON')
    .description('take in a node that another landlord sold to this console')
    .addHelpText(
      'after',
      `
What the node signed about the sale is verified, and the node is asked whether it obeys. It may be said again after anything that went wrong.

Examples:
  nodes buy web-1.sale.json --pin 9lT-gnedJuarPf84A4_O1b-POsfMR0885JMIuuOIYE8
  nodes buy web-1.sale.json --name hall-2-web-1`,
    )
    .action(async (path: string, flags: Json & { pin?: string; name?: string }) => {
      const content = orExit(parseJson(orExit(readFileLimited(path), flags.json)), flags.json);
      const sale = orExit(saleForm(content, ''), flags.json);
      const client = orExit(clientFor(dirOf()), flags.json);
      const { pin, name } = flags;
      const body = { sale, ...(pin === undefined ? {} : { pin }), ...(name === undefined ? {} : { name }) };
      const bought = orExit(await client.call('POST', '/api/v1/purchases', body), flags.json);
      say(flags, bought, boughtText(bought as unknown as Bought, sale.facility));
    });
}

function boughtText({ node, verified, lease, leases }: Bought, facility: string): string {
  return [
    `${node}: bought from ${facility}`,
    '  - the node signed that its former landlord’s keys are destroyed; only this console speaks for level 0, which has a new pair and a new K',
    `  - your own level is the lease ${lease}; its filters let nothing pass until you give it a boundary`,
    ...leases.map(
      (one) => `  - the lease ${one.lease} of ${one.customer} goes on, and is yours to extend or end`,
    ),
    ...(verified
      ? []
      : [
          '  - identity unverified: nothing but the file says that this is the machine you bought; compare its label and give --pin',
        ]),
  ].join('\n');
}
