import { until } from '../../../test/facility/bed/index.js';
import { expect, type Check } from '../check.js';
import type { Facility } from '../facility.js';

interface Listed {
  readonly nodes: readonly { readonly name: string; readonly state: string }[];
}

async function statesOf(facility: Facility): Promise<string> {
  const { nodes } = (await facility.cluster.json('nodes', 'list')) as Listed;
  return nodes
    .map(({ name, state }) => `${name} ${state}`)
    .sort()
    .join(', ');
}

/** All nodes are good, but those of which something else is said. */
async function untilStates(facility: Facility, but: Readonly<Record<string, string>>): Promise<void> {
  const wanted = facility.nodes
    .map(({ name }) => `${name} ${but[name] ?? 'good'}`)
    .sort()
    .join(', ');
  let seen = '';
  await until(async () => (seen = await statesOf(facility)) === wanted, {
    step_ms: 200,
    what: () => `"${wanted}", but "${seen}"`,
  });
}

export const nodeChecks: readonly Check[] = [
  {
    name: 'the console of the facility sees its eight nodes in good order',
    run: async (facility) => untilStates(facility, {}),
  },
  {
    name: 'a command travels sealed to each node and its answer back (status)',
    async run({ cluster, nodes }) {
      for (const { name } of nodes) {
        const status = (await cluster.json('nodes', 'status', name)) as { readonly name?: string };
        expect(status.name === name, () => JSON.stringify(status));
      }
    },
  },
  {
    name: 'a node that is killed is seen to be silent, then unknown, and good again after its start',
    async run(facility) {
      const node = facility.node('node-8');
      await node.process?.kill();
      await untilStates(facility, { 'node-8': 'silent' });
      await untilStates(facility, { 'node-8': 'unknown' });
      await node.run();
      await untilStates(facility, {});
    },
  },
];
