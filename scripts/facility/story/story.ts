import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { distPath, until } from '../../../test/facility/bed/index.js';
import { expect, type Check } from '../check.js';
import { leaseTo, untilGood } from '../leases.js';
import {
  customers,
  makeConsole,
  nodesOf,
  type ConsoleHandle,
  type Customer,
  type Facility,
} from '../facility.js';
import { describeWeb, fetchFrom, secretOf, web_port } from './web.js';

/** The node that alder gives back, and birch gets. */
const moved = 'node-4';
const stayed: Readonly<Record<Customer, readonly string[]>> = {
  alder: nodesOf.alder.filter((name) => name !== moved),
  birch: nodesOf.birch,
};

async function ran(it: ConsoleHandle, ...args: readonly string[]) {
  return it.place.run(it.command(...args));
}

async function setFile(facility: Facility, name: string, filters: readonly object[]): Promise<string> {
  const file = join(facility.bed.dir, `${name}.filters.json`);
  await writeFile(file, JSON.stringify({ otherwise: 'inherit', filters }));
  return file;
}

/** The landlord's staff with a console of the other kind, which nobody gave them a lease for. */
async function staffWithAnApp({ bed }: Facility): Promise<ConsoleHandle> {
  const it = await makeConsole(bed, 'console-app', bed.console, 7490);
  const passphrase = ['--passphrase-file', it.passphraseFile];
  await it.cli('init', '--name', 'staff', ...passphrase, '--key-bits', '2048', '--api-port', '7490');
  await it.run();
  return it;
}

async function leaseOf(it: ConsoleHandle, node: string): Promise<string> {
  const { leases } = (await it.json('leases', 'list')) as {
    readonly leases: readonly { readonly node: string; readonly lease: string; readonly state: string }[];
  };
  return leases.find((one) => one.node === node && one.state !== 'ended')?.lease ?? '';
}

/**
 * Both parties together, from the first boot of the machines to the next tenant. Each part builds on those before it; the whole is what
 * `npm start -- --check` shows and what a test holds.
 */
export const story: readonly Check[] = [
  {
    name: 'eight machines were adopted, each with two codes that people typed across, and both sides signed it',
    async run({ cluster, nodes }) {
      expect(nodes.length === 8, () => `${nodes.length} nodes`);
      for (const { name, dir } of nodes) {
        const { adopted } = (await cluster.json('nodes', 'inventory', name)) as {
          readonly adopted?: { readonly console: string; readonly machine: string };
        };
        const kept = (await readFile(join(dir, 'adoption.jws'), 'utf8')).trim();
        expect(adopted?.console === kept && adopted.machine !== '', () => `${name}: ${kept}`);
      }
    },
  },
  {
    name: 'each customer took four leases with the identity pinned, and nobody else could ever speak for them',
    async run({ apps }) {
      for (const customer of customers) {
        const { leases } = (await apps[customer].json('lease', 'list')) as {
          readonly leases: readonly { node: string; state: string; identity: string; strangers: string[] }[];
        };
        const right = leases.filter(
          (one) => one.state === 'taken' && one.identity === 'pinned' && one.strangers.length === 0,
        );
        expect(right.length === 4, () => JSON.stringify(leases));
      }
    },
  },
  {
    name: 'each customer deploys its engine on its four nodes from one description, and it answers within its cluster',
    async run(facility) {
      const { bed, apps } = facility;
      const files = await describeWeb(facility);
      await Promise.all(
        customers.map(async (customer) => {
          const app = apps[customer];
          await app.cli('groups', 'set', 'all', ...nodesOf[customer]);
          const gate = ['--at-once', '4', '--well', '1', '--bound', '120'];
          await app.cli('engines', 'deploy', files[customer], 'group:all', ...gate);
        }),
      );
      for (const customer of customers) {
        const [one = '', two = ''] = nodesOf[customer];
        const seen = await fetchFrom(bed.place(one), bed.place(two));
        expect(seen === secretOf(customer), () => `${one} → ${two}: "${seen}"`);
        const office = await fetchFrom(bed.office(customer), bed.place(two));
        expect(office === secretOf(customer), () => `the office of ${customer} → ${two}: "${office}"`);
      }
    },
  },
  {
    name: 'no customer reaches the engine of the other, from a node or from its office',
    async run({ bed }) {
      const tries = [
        ['node-1', 'node-5'],
        ['office-birch', 'node-1'],
        ['node-8', 'node-3'],
      ] as const;
      for (const [from, to] of tries) {
        const seen = await fetchFrom(bed.place(from), bed.place(to));
        expect(seen === '', () => `${from} → ${to}: ${seen}`);
      }
    },
  },
  {
    name: 'the staff see how many engines there are and what they use, not what they are',
    async run({ cluster, apps }) {
      const history = await cluster.cli('nodes', 'history', 'node-1');
      const own = await apps.alder.cli('nodes', 'history', 'node-1');
      expect(own.includes('engine.put'), () => 'no engine.put in the history of alder');
      expect(!history.includes(secretOf('alder')), () => 'the words of alder in the history of the landlord');
      const status = JSON.stringify(await cluster.json('nodes', 'status', 'node-1'));
      expect(!status.includes('web'), () => status);
    },
  },
  {
    name: 'a customer sends the landlord’s staff away: its console can no longer look at the engine it was let to',
    async run(facility) {
      const { bed, cluster, apps } = facility;
      const staff = cluster.place;
      const let_in = ['--protocol', 'tcp', '--port', String(web_port), '--reason', 'the staff watch it'];
      await cluster.cli('exceptions', 'allow', `${staff.ipv4},${staff.ipv6}`, 'alder', ...let_in);
      const before = await fetchFrom(staff, bed.place('node-2'));
      expect(before === secretOf('alder'), () => `before: "${before}"`);
      const deny = {
        action: 'deny',
        direction: 'in',
        peers: [staff.ipv4, staff.ipv6],
        protocol: 'tcp',
        ports: [web_port],
        note: 'not for the staff',
      };
      const file = await setFile(facility, 'alder', [deny]);
      const shown = await apps.alder.cli('filters', 'diff', file, 'group:all');
      expect(shown.includes(staff.ipv4), () => shown);
      await apps.alder.cli('filters', 'apply-all', file, 'group:all');
      for (const name of nodesOf.alder) {
        const after = await fetchFrom(staff, bed.place(name));
        expect(after === '', () => `${name}: "${after}"`);
      }
      const own = await fetchFrom(bed.office('alder'), bed.place('node-2'));
      expect(own === secretOf('alder'), () => `the office: "${own}"`);
      await cluster.cli('nodes', 'status', 'node-2');
    },
  },
  {
    name: 'the other tightens too, and what would reach beyond its boundary is refused on all nodes, with a packet',
    async run(facility) {
      const { bed, apps } = facility;
      const more = [{ action: 'allow', peers: [bed.place('node-1').ipv4], protocol: 'tcp', ports: [22] }];
      const wide = await ran(
        apps.birch,
        'filters',
        'apply-all',
        await setFile(facility, 'wide', more),
        'group:all',
      );
      expect(wide.code === 1, () => wide.stdout);
      const checked = await ran(
        apps.birch,
        'filters',
        'check',
        join(bed.dir, 'wide.filters.json'),
        'group:all',
      );
      expect(checked.stdout.includes(`this would let ${bed.place('node-1').ipv4}`), () => checked.stdout);
      const deny = { action: 'deny', direction: 'in', peers: ['node:node-5'], protocol: 'icmp' };
      const file = await setFile(facility, 'birch', [deny]);
      await apps.birch.cli('filters', 'apply-all', file, 'node-6', 'node-7', 'node-8');
      const ping = await bed.place('node-5').ping(bed.place('node-6').ipv4);
      expect(ping === 'silent' || ping === 'unreachable', () => ping);
    },
  },
  {
    name: 'the staff cannot take a lease with the file that they handed over, nor with one that they altered',
    async run(facility) {
      const staff = await staffWithAnApp(facility);
      const file = join(facility.bed.dir, 'alder.hand-over.json');
      const own = JSON.parse(await readFile(staff.card, 'utf8')) as { readonly key: object };
      const honest = await ran(staff, 'lease', 'take', file);
      expect(honest.code === 1 && honest.stderr.startsWith('not-for-us'), () => honest.stderr);
      const id = (await staff.cli('key', 'show')).split(' ')[0] ?? '';
      const forged = join(facility.bed.dir, 'forged.json');
      const handOver = JSON.parse(await readFile(file, 'utf8')) as object;
      await writeFile(forged, JSON.stringify({ ...handOver, to: [id] }));
      const altered = await ran(staff, 'lease', 'take', forged);
      expect(altered.code === 1 && !altered.stdout.includes(': taken'), () => altered.stdout);
      expect(Object.keys(own.key).length > 0, () => 'a card without a key');
      await staff.process?.stop();
    },
  },
  {
    name: 'a lease ends when it is named: its engine is gone at once, and the customer is refused',
    async run(facility) {
      const { bed, cluster, apps } = facility;
      const lease = await leaseOf(cluster, moved);
      const shown = await ran(cluster, 'leases', 'end', moved);
      expect(shown.code === 1 && shown.stdout.includes(`--destroy ${lease}`), () => shown.stdout);
      await cluster.cli('leases', 'end', moved, '--destroy', lease);
      const seen = await fetchFrom(bed.office('alder'), bed.place(moved));
      expect(seen === '', () => `still answers "${seen}"`);
      await until(
        async () => {
          const { nodes } = (await apps.alder.json('nodes', 'list')) as {
            readonly nodes: readonly { readonly name: string; readonly state: string }[];
          };
          return nodes.find(({ name }) => name === moved)?.state === 'refused';
        },
        { step_ms: 200, what: 'the customer to be refused' },
      );
      await writeFile(join(bed.dir, 'end.receipts'), await cluster.cli('leases', 'receipts', lease));
    },
  },
  {
    name: 'the erasure receipt verifies offline, for the landlord, the old tenant and the new one, and for no other node',
    async run(facility) {
      const { bed } = facility;
      const verify = async (card: string) =>
        bed
          .office('birch')
          .run([
            process.execPath,
            distPath('bmonitor/cli/index.js'),
            'receipt',
            'verify',
            join(bed.dir, 'end.receipts'),
            '--node',
            card,
          ]);
      const good = await verify(facility.node(moved).card);
      expect(good.code === 0 && good.stdout.includes('has ended'), () => `${good.stdout}${good.stderr}`);
      expect(/destroyed/.test(good.stdout), () => good.stdout);
      const other = await verify(facility.node('node-3').card);
      expect(other.code === 1, () => other.stdout);
    },
  },
  {
    name: 'the new tenant takes the node and finds nothing: no engine, no image, no history, no word on its disk',
    async run(facility) {
      const { bed, cluster, apps } = facility;
      await cluster.cli('clusters', 'set', 'alder', ...stayed.alder);
      await leaseTo(facility, 'birch', [moved]);
      await cluster.cli('clusters', 'set', 'birch', ...stayed.birch, moved);
      await untilGood(apps.birch, [moved]);
      const listed = await apps.birch.cli('engines', 'list', moved);
      expect(!listed.includes('web'), () => listed);
      const images = await apps.birch.cli('engines', 'images', moved);
      expect(!images.includes('sha256:'), () => images);
      const history = await apps.birch.cli('nodes', 'history', moved);
      expect(!history.includes('engine.put'), () => history);
      const words = await bed
        .place(moved)
        .run(['grep', '-rlaF', secretOf('alder'), facility.node(moved).dir]);
      expect(words.code === 1, () => `${words.stdout}${words.stderr}`);
      const friend = await bed.place('node-5').ping(bed.place(moved).ipv4);
      expect(friend === 'answered', () => `node-5 → ${moved}: ${friend}`);
      const stranger = await bed.place('node-1').ping(bed.place(moved).ipv4);
      expect(stranger === 'silent' || stranger === 'unreachable', () => `node-1 → ${moved}: ${stranger}`);
    },
  },
  {
    name: 'what the others run was not touched by any of it',
    async run({ bed }) {
      for (const customer of customers)
        for (const name of stayed[customer]) {
          const seen = await fetchFrom(bed.office(customer), bed.place(name));
          expect(seen === secretOf(customer), () => `${name}: "${seen}"`);
        }
    },
  },
];
