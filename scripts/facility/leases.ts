import { join } from 'node:path';
import { until } from '../../test/facility/bed/index.js';
import { customers, nodesOf, type Customer, type Facility } from './facility.js';

/** The nodes are leased to their customers, who take them, and the nodes of each customer become a cluster. */
export async function leaseNodes(facility: Facility): Promise<void> {
  await untilGood(facility);
  for (const customer of customers) await leaseTo(facility, customer);
  for (const customer of customers) await boundTo(facility, customer);
}

async function untilGood(facility: Facility): Promise<void> {
  await until(
    async () => {
      const { nodes } = (await facility.cluster.json('nodes', 'list')) as { nodes: { state: string }[] };
      return nodes.every(({ state }) => state === 'good');
    },
    { step_ms: 200, what: () => 'the console of the facility to see all its nodes' },
  );
}

async function leaseTo(facility: Facility, customer: Customer): Promise<void> {
  const { bed, cluster } = facility;
  const app = facility.app(customer);
  const file = join(bed.dir, `${customer}.hand-over.json`);
  const nodes = nodesOf[customer];
  await cluster.cli(
    'leases',
    'grant',
    ...nodes,
    '--customer',
    customer,
    '--to',
    app.card,
    '--for',
    '30d',
    '--out',
    file,
  );
  const labels = await Promise.all(nodes.map(async (name) => `${name}=${await identityOf(facility, name)}`));
  await app.cli('lease', 'take', file, ...labels.flatMap((label) => ['--pin', label]));
}

/** What stands on the label of the machine: its identity, as the node itself says on the spot. */
async function identityOf(facility: Facility, name: string): Promise<string> {
  const { nodes } = (await facility.cluster.json('nodes', 'list')) as {
    nodes: { name: string; id: string }[];
  };
  return nodes.find((node) => node.name === name)?.id ?? '';
}

/** The nodes of a customer are a cluster, and talk to that customer's office, and to nobody else. */
async function boundTo({ bed, cluster }: Facility, customer: Customer): Promise<void> {
  const { ipv4, ipv6 } = bed.office(customer);
  await cluster.cli('clusters', 'set', customer, ...nodesOf[customer]);
  const reason = `the office of ${customer}`;
  await cluster.cli('exceptions', 'allow', `${ipv4},${ipv6}`, customer, '--both', '--reason', reason);
}
