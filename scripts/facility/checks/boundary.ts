import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until, type Outcome, type Place } from '../../../test/facility/bed/index.js';
import { expect, type Check } from '../check.js';
import type { ConsoleHandle, Facility } from '../facility.js';

/** A packet that may not leave is refused to its sender at once; one that may not arrive is never heard of again. */
const stopped: readonly Outcome[] = ['silent', 'unreachable'];

async function expectPing(from: Place, to: Place, wanted: 'passes' | 'stopped'): Promise<void> {
  for (const address of [to.ipv4, to.ipv6]) {
    const seen = await from.ping(address);
    const right = wanted === 'passes' ? seen === 'answered' : stopped.includes(seen);
    expect(right, () => `${from.name} → ${address}: ${seen}`);
  }
}

async function statusOf(it: ConsoleHandle, node: string): Promise<Readonly<Record<string, unknown>>> {
  return (await it.json('nodes', 'status', node)) as Readonly<Record<string, unknown>>;
}

async function apply(facility: Facility, it: ConsoleHandle, node: string, set: unknown) {
  const file = join(facility.bed.dir, `${node}.check.json`);
  await writeFile(file, JSON.stringify(set));
  const [program = '', ...args] = it.command('filters', 'apply', node, file, '--json');
  return it.place.run([program, ...args]);
}

/** A console that lost its node finds it again by itself, but not in the same moment. */
async function mustApply(facility: Facility, it: ConsoleHandle, node: string, set: unknown): Promise<void> {
  let said = '';
  await until(
    async () => {
      const { code, stderr } = await apply(facility, it, node, set);
      said = stderr;
      return code === 0;
    },
    { step_ms: 300, what: () => `the filters applied, but ${said}` },
  );
}

export const boundaryChecks: readonly Check[] = [
  {
    name: 'each customer has taken its leases, and speaks to its nodes',
    async run({ apps }) {
      for (const [it, node, level] of [
        [apps.alder, 'node-1', 1],
        [apps.birch, 'node-5', 1],
      ] as const) {
        await until(async () =>
          (await it.json('nodes', 'list').then(JSON.stringify)).includes('"state":"good"'),
        );
        const status = await statusOf(it, node);
        expect(status['level'] === level && status['status'] === 'active', () => JSON.stringify(status));
      }
    },
  },
  {
    name: 'each node says that it enforces its filters, and that it was compared with the kernel',
    async run({ cluster, nodes }) {
      for (const { name } of nodes) {
        const { filters } = (await statusOf(cluster, name)) as { filters?: { enforced?: string } };
        expect(filters?.enforced === 'yes', () => `${name}: ${JSON.stringify(filters)}`);
      }
    },
  },
  {
    name: 'nodes of one customer reach each other, by IPv4 and IPv6',
    async run({ bed }) {
      await expectPing(bed.place('node-1'), bed.place('node-2'), 'passes');
      await expectPing(bed.place('node-6'), bed.place('node-5'), 'passes');
    },
  },
  {
    name: 'no packet crosses the boundary between the customers, in either direction',
    async run({ bed }) {
      await expectPing(bed.place('node-1'), bed.place('node-5'), 'stopped');
      await expectPing(bed.place('node-6'), bed.place('node-2'), 'stopped');
      await expectPing(bed.office('birch'), bed.place('node-1'), 'stopped');
    },
  },
  {
    name: 'the boundary holds in the kernel while BMonitor is dead',
    async run(facility) {
      const { bed } = facility;
      const node = facility.node('node-2');
      await node.process?.kill();
      await expectPing(bed.place('node-5'), bed.place('node-2'), 'stopped');
      await expectPing(bed.place('node-1'), bed.place('node-2'), 'passes');
      await node.run();
    },
  },
  {
    name: 'a tenant narrows its own nodes further, and only those',
    async run(facility) {
      const { bed } = facility;
      const one = bed.place('node-1');
      const deny = { action: 'deny', direction: 'in', peers: [one.ipv4, one.ipv6], protocol: 'icmp' };
      await mustApply(facility, facility.apps.alder, 'node-2', { otherwise: 'inherit', filters: [deny] });
      await expectPing(one, bed.place('node-2'), 'stopped');
      await expectPing(bed.place('node-2'), one, 'passes');
      await mustApply(facility, facility.apps.alder, 'node-2', { otherwise: 'inherit', filters: [] });
      await expectPing(one, bed.place('node-2'), 'passes');
    },
  },
  {
    name: 'a tenant that asks for more than its boundary is refused with a packet that shows why',
    async run(facility) {
      const { ipv4 } = facility.bed.place('node-5');
      const more = {
        otherwise: 'inherit',
        filters: [{ action: 'allow', peers: [ipv4], protocol: 'tcp', ports: [80] }],
      };
      const { code, stderr } = await apply(facility, facility.apps.alder, 'node-1', more);
      expect(code === 1 && stderr.includes(ipv4), () => `exit ${code}: ${stderr}`);
    },
  },
  {
    name: 'an exception lets through what it names and nothing else, on both nodes at once, until it ends',
    async run({ bed, cluster }) {
      const [from, to] = [bed.place('node-1'), bed.place('node-5')];
      const why = ['--protocol', 'icmp', '--reason', 'a try'];
      await cluster.cli('exceptions', 'allow', 'node:node-1', 'node:node-5', ...why);
      await expectPing(from, to, 'passes');
      await expectPing(to, from, 'stopped');
      await expectPing(bed.place('node-2'), to, 'stopped');
      const { exceptions } = (await cluster.json('exceptions', 'list')) as {
        exceptions: { id: string; reason: string }[];
      };
      const made = exceptions.find(({ reason }) => reason === 'a try');
      expect(made !== undefined, () => JSON.stringify(exceptions));
      await cluster.cli('exceptions', 'end', made.id);
      await expectPing(from, to, 'stopped');
      const { boundaries } = (await cluster.json('boundaries', 'list')) as {
        boundaries: { state: string }[];
      };
      expect(
        boundaries.every(({ state }) => state === 'in-step'),
        () => JSON.stringify(boundaries),
      );
    },
  },
];
