import { join } from 'node:path';
import { until } from '../../test/facility/bed/index.js';
import { customers, nodesOf, type ConsoleHandle, type Customer, type Facility } from './facility.js';

/** The nodes are leased to their customers, who take them, and the nodes of each customer become a cluster. */
export async function leaseNodes(facility: Facility): Promise<void> {
  await untilGood(
    facility.cluster,
    facility.nodes.map(({ name }) => name),
  );
  for (const customer of customers) await leaseTo(facility, customer);
  for (const customer of customers) await boundTo(facility, customer);
}

/** Waits until a console sees these nodes in good order. */
export async function untilGood(it: ConsoleHandle, names: readonly string[]): Promise<void> {
  await until(
    async () => {
      const { nodes } = (await it.json('nodes', 'list')) as { nodes: { name: string; state: string }[] };
      return names.every((name) => nodes.find((node) => node.name === name)?.state === 'good');
    },
    { step_ms: 200, bound_ms: 60_000, what: () => `${it.name} to see ${names.join(' ')} in good order` },
  );
}

/** Granted by the landlord, handed over in a file, taken by the customer with the labels of the machines before its eyes. */
export async function leaseTo(
  facility: Facility,
  customer: Customer,
  nodes: readonly string[] = nodesOf[customer],
): Promise<void> {
  const { bed, cluster } = facility;
  const app = facility.app(customer);
  const file = join(bed.dir, `${customer}.hand-over.json`);
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
