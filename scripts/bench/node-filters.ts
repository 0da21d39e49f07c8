import { Bed } from '../../test/facility/bed/index.js';
import { Commanded } from '../../test/facility/firewall/commanded.js';
import type { Command } from '../../protocol/commands.js';
import type { BenchSuite, BenchTools, Measurement } from './suite.js';

/** No two overlap, so that what is measured is the size of the set and not what filters do to each other. */
function filtersOf(count: number, port: number | string, from = 0): Record<string, unknown>[] {
  return Array.from({ length: count }, (_, at) => {
    const number = from + at;
    return {
      action: 'allow',
      direction: number % 2 === 0 ? 'in' : 'out',
      peers: [`10.${(number >> 14) & 63}.${(number >> 6) & 255}.${(number & 63) * 4}/30`],
      protocol: 'tcp',
      ports: [port],
    };
  });
}

async function version(node: Commanded, level: number): Promise<number> {
  const { filters } = (await node.must(level, { type: 'status' })) as { filters: { version: number } };
  return filters.version;
}

async function took(node: Commanded, level: number, command: Command): Promise<number> {
  const answer = await node.ask(level, command);
  if (!answer.result) throw new Error(`${command.type}: ${answer.error?.code} ${answer.error?.detail ?? ''}`);
  return answer.node_ms;
}

/** One comes and goes, again and again. */
async function changes(
  node: Commanded,
  level: number,
  count: number,
  samples: number,
): Promise<readonly number[]> {
  const times: number[] = [];
  // The tenant's lies within the boundary and beside all filters of its own.
  const extra = level === 0 ? filtersOf(1, 443, 20_000) : filtersOf(1, 444, 500);
  let expect = await version(node, level);
  for (let round = 0; round < samples; round++) {
    const even = round % 2 === 0;
    const change = { add: even ? extra : [], remove: even ? [] : [count] };
    times.push(await took(node, level, { type: 'filters.change', expect: expect++, ...change }));
  }
  return times;
}

async function replacements(
  node: Commanded,
  level: number,
  count: number,
  samples: number,
): Promise<readonly number[]> {
  const times: number[] = [];
  let expect = await version(node, level);
  for (let round = 0; round < samples; round++) {
    const set = {
      otherwise: level === 0 ? 'deny' : 'inherit',
      filters: filtersOf(count, level === 0 ? '443-444' : 443),
    };
    times.push(await took(node, level, { type: 'filters.replace', expect: expect++, set }));
  }
  return times;
}

function p99(values: readonly number[]): number {
  return (
    [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * 0.99))] ?? 0
  );
}

async function measure(tools: BenchTools): Promise<readonly Measurement[]> {
  const bed = await Bed.create({ nodes: ['node'] });
  const measured: Measurement[] = [];
  try {
    const node = await Commanded.at(bed.place('node'));
    const [count, samples] = tools.quick ? [10_000, 100] : [10_000, 600];
    const add = (name: string, values: readonly number[], most?: number): void => {
      const wanted = most === undefined ? {} : { wanted: { of: 'median', at: 'most', value: most } as const };
      measured.push({ name, unit: 'ms', values, ...wanted });
    };
    const asked: number[] = [];
    for (let round = 0; round < 50; round++) asked.push(await took(node, 0, { type: 'levels.read' }));
    add('a question and its answer, sealed both ways', asked);
    for (const [level, who] of ['the landlord', 'the tenant'].entries()) {
      add(
        `${count} filters replaced by ${who}`,
        await replacements(node, level, count, tools.quick ? 3 : 9),
        150,
      );
      const times = await changes(node, level, count, samples);
      add(`one of ${count} added or removed by ${who}`, times);
      add(`the same, p99`, [p99(times)], 5);
    }
    await node.close();
  } finally {
    await bed.remove();
  }
  return measured;
}

/** Through a whole node: sealed command, proof, journal on disk, kernel, sealed reply. */
export const suite: BenchSuite = {
  name: 'filters through a node',
  about:
    'From the sealed command at the node to the sealed answer, after it is enforced: proof, journal on the disk and kernel between.',
  run: measure,
};
