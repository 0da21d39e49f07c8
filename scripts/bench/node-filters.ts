import { Bed } from '../../test/facility/bed/index.js';
import { Commanded, type Answered } from '../../test/facility/firewall/commanded.js';
import type { Command } from '../../protocol/commands.js';
import { Generations } from './generations.js';
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

interface Measured {
  readonly node: Commanded;
  readonly kernel: Generations;
}

async function version(node: Commanded, level: number): Promise<number> {
  const { filters } = (await node.must(level, { type: 'status' })) as { filters: { version: number } };
  return filters.version;
}

async function took(node: Commanded, level: number, command: Command): Promise<Answered> {
  const answer = await node.ask(level, command);
  if (!answer.result) throw new Error(`${command.type}: ${answer.error?.code} ${answer.error?.detail ?? ''}`);
  return answer;
}

/** From the sealed command sent: until the kernel enforces it, and until its sealed answer is there. */
interface Times {
  readonly enforced: readonly number[];
  readonly answered: readonly number[];
}

async function timed(
  { node, kernel }: Measured,
  level: number,
  commands: Iterable<Omit<Extract<Command, { type: 'filters.change' | 'filters.replace' }>, 'expect'>>,
): Promise<Times> {
  const answers: Answered[] = [];
  let expect = await version(node, level);
  for (const command of commands)
    answers.push(await took(node, level, { ...command, expect: expect++ } as Command));
  const end = await took(node, level, { type: 'levels.read' });
  return {
    enforced: await kernel.took_ms([...answers, end].map(({ sent_ms }) => sent_ms)),
    answered: answers.map(({ node_ms }) => node_ms),
  };
}

/** One comes and goes, again and again. */
function changes(measured: Measured, level: number, count: number, samples: number): Promise<Times> {
  // The tenant's lies within the boundary and beside all filters of its own.
  const extra = level === 0 ? filtersOf(1, 443, 20_000) : filtersOf(1, 444, 500);
  return timed(
    measured,
    level,
    Array.from({ length: samples }, (_, round) => ({
      type: 'filters.change',
      ...(round % 2 === 0 ? { add: extra, remove: [] } : { add: [], remove: [count] }),
    })),
  );
}

/** Two sets of which no filter is in both, in turn; the last is always the same. */
function replacements(measured: Measured, level: number, count: number, samples: number): Promise<Times> {
  const ports = level === 0 ? (['443-444', '443-445'] as const) : ([443, 444] as const);
  const sets = ports.map((port) => ({
    otherwise: level === 0 ? 'deny' : 'inherit',
    filters: filtersOf(count, port),
  }));
  return timed(
    measured,
    level,
    Array.from({ length: samples }, (_, round) => ({
      type: 'filters.replace',
      set: sets[(samples - 1 - round) % 2],
    })),
  );
}

function p99(values: readonly number[]): number {
  return (
    [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * 0.99))] ?? 0
  );
}

async function measure(tools: BenchTools): Promise<readonly Measurement[]> {
  const bed = await Bed.create({ nodes: ['node'] });
  const rows: Measurement[] = [];
  try {
    const place = bed.place('node');
    const node = await Commanded.at(place);
    const measured = { node, kernel: await Generations.at(place) };
    const [count, samples] = tools.quick ? [10_000, 200] : [10_000, 600];
    const add = (name: string, values: readonly number[], most?: number): void => {
      const wanted = most === undefined ? {} : { wanted: { of: 'median', at: 'most', value: most } as const };
      rows.push({ name, unit: 'ms', values, ...wanted });
    };
    const asked: number[] = [];
    for (let round = 0; round < 50; round++)
      asked.push((await took(node, 0, { type: 'levels.read' })).node_ms);
    add('a question and its answer, sealed both ways', asked);
    for (const [level, who] of ['the landlord', 'the tenant'].entries()) {
      const replaced = await replacements(measured, level, count, tools.quick ? 5 : 9);
      add(`${count} filters replaced by ${who}, until enforced`, replaced.enforced, 150);
      add(`the same, until answered`, replaced.answered);
      const changed = await changes(measured, level, count, samples);
      add(`one of ${count} added or removed by ${who}, until enforced`, changed.enforced);
      add(`the same, p99 of ${samples}`, [p99(changed.enforced)], 5);
      add(`the same, until answered`, changed.answered);
      add(`the same, until answered, p99 of ${samples}`, [p99(changed.answered)]);
    }
    await measured.kernel.stop();
    await node.close();
  } finally {
    await bed.remove();
  }
  return rows;
}

/** Through a whole node: sealed command, proof, journal on disk, kernel, sealed reply. */
export const suite: BenchSuite = {
  name: 'filters through a node',
  about:
    'From the sealed command sent to a node until the kernel says that its filters have changed, and until the sealed answer: proof, journal on the disk and kernel between.',
  run: measure,
};
