import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../../test/facility/bed/index.js';
import { customers, nodesOf, type Customer, type Facility } from './facility.js';

/** The nodes are leased to their customers, who take them, and each node gets the boundary of its cluster. */
export async function leaseNodes(facility: Facility): Promise<void> {
  await untilGood(facility);
  for (const customer of customers) await leaseTo(facility, customer);
  for (const node of facility.nodes) await applyBoundary(facility, node.name);
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

/** A node talks to the nodes of its cluster and to its customer's office, and to nobody else. */
function boundaryOf(facility: Facility, name: string): unknown {
  const customer = customers.find((one) => nodesOf[one].includes(name));
  if (customer === undefined) throw new Error(`${name} is nobody's`);
  const { bed } = facility;
  const places = [...nodesOf[customer].map((node) => bed.place(node)), bed.office(customer)];
  const peers = places.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]);
  return { otherwise: 'deny', filters: [{ action: 'allow', peers, note: `the cluster of ${customer}` }] };
}

async function applyBoundary(facility: Facility, name: string): Promise<void> {
  const file = join(facility.bed.dir, `${name}.boundary.json`);
  await writeFile(file, JSON.stringify(boundaryOf(facility, name), null, 2));
  await facility.cluster.cli('filters', 'apply', name, file);
}
