import { LevelCompiler, compileSet } from '../../bmonitor/filters/compile.js';
import type { LevelBoxes } from '../../bmonitor/filters/boxes.js';
import type { Filter } from '../../bmonitor/filters/model.js';
import { noNames, normaliseFilter, normaliseSet } from '../../bmonitor/filters/normalise.js';
import { withoutLatch } from '../../bmonitor/ports/firewall-text.js';
import { ProgramMaker } from '../../bmonitor/filters/nft/compile.js';
import { Bed, sourcePath, type Place } from '../../test/facility/bed/index.js';
import { Enforced, valueOf } from '../../test/facility/firewall/enforced.js';
import type { BenchSuite, BenchTools, Measurement } from './suite.js';

/** What filters cost a packet, a connection and a change, beside a node without filters in the same run. */
const port = 5201;
const kinds = ['udp', 'tcp'] as const;
const title = { udp: 'small UDP packets of a known flow', tcp: 'new TCP connections' } as const;

type Kind = 'of the ordinary kind' | 'all exact' | 'half of them odd ranges';

function address(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
}

/** As a facility has them: hosts and networks, single ports, a few ranges of ports that recur, whole protocols. */
function ordinary(index: number): Filter {
  const base = 0x0a80_0000 + index * 16;
  const [host, network] = [address(base + 5), `${address(base)}/28`];
  const common = { action: 'allow', direction: 'in' } as const;
  const at = index % 10;
  if (at < 4) return { ...common, peers: [host], protocol: 'tcp', ports: [80 + (index % 7)] };
  if (at < 7) return { ...common, peers: [network], protocol: 'tcp', ports: [443] };
  if (at === 7) return { ...common, peers: [network] };
  if (at === 8) return { ...common, peers: [host], protocol: 'tcp', ports: ['30000-32767'] };
  return { ...common, peers: [network], protocol: 'udp', ports: ['8000-8100'] };
}

function exact(index: number): Filter {
  const peers = [address(0x0a80_0000 + index)];
  return { action: 'allow', direction: 'in', peers, protocol: 'tcp', ports: [80] };
}

/** Five hundred ranges of ports, no two of neighbours alike: the worst that a map of ranges meets. */
function odd(index: number): Filter {
  if (index % 2 === 0) return exact(index);
  const ports = [`${1000 + (index % 500)}-2000`];
  return { action: 'allow', direction: 'in', peers: [address(0x0a80_0000 + index)], protocol: 'udp', ports };
}

const makers = {
  'of the ordinary kind': ordinary,
  'all exact': exact,
  'half of them odd ranges': odd,
} as const;

/** What passes is the last that a list would come to. */
function filtersFor(count: number, from: Place, kind: Kind = 'of the ordinary kind'): readonly Filter[] {
  const others = Array.from({ length: count - 1 }, (_, index) => makers[kind](index));
  return [...others, { action: 'allow', direction: 'in', peers: [from.ipv4] }];
}

function levelOf(filters: readonly Filter[]): LevelBoxes {
  return valueOf(compileSet(valueOf(normaliseSet({ otherwise: 'deny', filters }))));
}

interface Nodes {
  readonly sender: Place;
  readonly bare: Place;
  readonly filtered: Place;
  readonly listed: Place;
  readonly tracked: Place;
}

async function rate(nodes: Nodes, to: Place, kind: (typeof kinds)[number], seconds: number): Promise<number> {
  const script = sourcePath('scripts/bench/load.py');
  const words = [kind, to.ipv4, String(port), String(seconds)];
  const said = await nodes.sender.must(['/usr/bin/python3', '-S', '-E', script, ...words]);
  return Number(/rate (\S+)/u.exec(said)?.[1]);
}

const least = (kind: (typeof kinds)[number], size: number): number =>
  kind === 'udp' ? 0.85 : size > 10_000 ? 0.8 : 0.9;

/** The same in turn, so that what else the machine does falls on both. */
async function pairs(
  nodes: Nodes,
  { name, to, quick, size }: { name: string; to: Place; quick: boolean; size?: number },
): Promise<readonly Measurement[]> {
  const rows: Measurement[] = [];
  for (const kind of kinds) {
    const bare: number[] = [];
    const filtered: number[] = [];
    const rounds = quick ? 6 : 20;
    await rate(nodes, to, kind, 0.1);
    for (let round = 0; round < rounds; round++) {
      bare.push(await rate(nodes, nodes.bare, kind, 0.12));
      filtered.push(await rate(nodes, to, kind, 0.12));
    }
    const baseline = `${title[kind]}, beside ${name}, no filters`;
    rows.push(
      { name: baseline, unit: 'per_s', values: bare },
      {
        name: `${title[kind]}, ${name}`,
        unit: 'per_s',
        values: filtered,
        baseline,
        paired: true,
        ...(size === undefined
          ? {}
          : { wanted: { of: 'ratio', at: 'least', value: least(kind, size) } as const }),
      },
    );
  }
  return rows;
}

/** The same filters as anyone would write them: one rule after the other, connections followed. */
async function inALine(place: Place, filters: readonly Filter[]): Promise<void> {
  const rules = filters.map(({ peers, protocol, ports }) => {
    const what = protocol === undefined ? '' : ` ${String(protocol)} dport ${String(ports?.[0])}`;
    return `add rule inet line input ip saddr ${String(peers?.[0])}${what} accept`;
  });
  const text = [
    'add table inet line',
    'add chain inet line input { type filter hook input priority 0; policy drop; }',
    'add rule inet line input meta l4proto { 58 } accept',
    ...rules,
  ];
  await place.must(['nft', '-f', '-'], { input: text.join('\n') });
}

/** One rule that asks whose connection it is: the least that any filter of connections costs. */
async function tracked(place: Place): Promise<void> {
  const text =
    'table inet tracked { chain input { type filter hook input priority 0; ct state new accept; }; }';
  await place.must(['nft', '-f', '-'], { input: text });
}

/** Each by the name that `--part` has for it. */
const sets = {
  '10': [10, 'of the ordinary kind'],
  '1000': [1000, 'of the ordinary kind'],
  '10000': [10_000, 'of the ordinary kind'],
  '100000': [100_000, 'of the ordinary kind'],
  'exact-100000': [100_000, 'all exact'],
  'odd-10000': [10_000, 'half of them odd ranges'],
  'odd-100000': [100_000, 'half of them odd ranges'],
} as const satisfies Record<string, readonly [number, Kind]>;
const setNames = Object.keys(sets) as readonly (keyof typeof sets)[];
const quickParts: readonly string[] = ['10', '10000', 'latch', 'tracked', 'line', 'changes'];
const allParts: readonly string[] = [...setNames, 'latch', 'tracked', 'line', 'changes'];

function partsFor({ quick, parts }: Pick<BenchTools, 'quick' | 'parts'>): ReadonlySet<string> {
  const unknown = parts?.find((part) => !allParts.includes(part));
  if (unknown !== undefined) throw new Error(`no such part: ${unknown}; there are ${allParts.join(', ')}`);
  return new Set(parts ?? (quick ? quickParts : allParts));
}

/** The same ten filters with the latch behind them and without: what it costs. */
async function latchAlone(nodes: Nodes, enforced: Enforced, quick: boolean): Promise<readonly Measurement[]> {
  const levels = [levelOf(filtersFor(10, nodes.sender))];
  await enforced.enforce({ levels });
  const behind = await pairs(nodes, { name: '10 filters and the latch', to: nodes.filtered, quick });
  const program = new ProgramMaker().make({ ...enforced.plan, levels });
  valueOf(await enforced.firewall.apply(withoutLatch(program)));
  const alone = await pairs(nodes, { name: '10 filters, no latch', to: nodes.filtered, quick });
  return [...behind, ...alone];
}

async function changes(enforced: Enforced, from: Place, quick: boolean): Promise<readonly Measurement[]> {
  const filters = filtersFor(10_000, from);
  const compiler = valueOf(LevelCompiler.from(valueOf(normaliseSet({ otherwise: 'deny', filters })).filters));
  const level = (): LevelBoxes => ({ otherwise: 'deny', onRefuse: 'drop', boxes: [] });
  const maker = new ProgramMaker();
  const { firewall } = enforced;
  const start = { ...level(), boxes: [...compiler.boxes()] };
  valueOf(await firewall.apply(maker.make({ ...enforced.plan, levels: [start] })));
  const timed = new Map<string, number[]>(
    ['one exact filter', 'one filter of ranges'].flatMap((what) => [
      [`${what} added at 10,000`, []],
      [`${what} removed at 10,000`, []],
    ]),
  );
  const measure = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    const begun = performance.now();
    await work();
    timed.get(name)?.push(performance.now() - begun);
  };
  const rounds = quick ? 20 : 200;
  for (let round = 0; round < rounds; round++) {
    const exact = round % 2 === 0;
    const what = exact ? 'one exact filter' : 'one filter of ranges';
    const filter: Filter = {
      action: 'allow',
      direction: 'in',
      peers: [`10.9.${round & 255}.1`],
      protocol: 'tcp',
      ports: exact ? [443] : ['443-450'],
    };
    const id = 1_000_000 + round;
    await measure(`${what} added at 10,000`, async () => {
      const change = valueOf(compiler.add(valueOf(normaliseFilter(filter, noNames, { id, where: '' }))));
      const plan = { ...enforced.plan, levels: [level()] };
      valueOf(await firewall.apply(maker.change(plan, 0, change)));
    });
    await measure(`${what} removed at 10,000`, async () => {
      const change = valueOf(compiler.remove(id));
      const plan = { ...enforced.plan, levels: [level()] };
      valueOf(await firewall.apply(maker.change(plan, 0, change)));
    });
  }
  const replaced: number[] = [];
  for (let round = 0; round < (quick ? 2 : 8); round++) {
    // Every filter differs from the one before.
    const next = filtersFor(10_000, from).map((filter) => ({
      ...filter,
      ...(filter.protocol === 'tcp' ? { ports: [1000 + round] } : {}),
      ...(filter.protocol === 'udp' ? { ports: [`${4000 + round * 100}-${4100 + round * 100}`] } : {}),
    }));
    const begun = performance.now();
    valueOf(await firewall.apply(maker.make({ ...enforced.plan, levels: [levelOf(next)] })));
    replaced.push(performance.now() - begun);
  }
  return [
    ...[...timed].map(([name, values]): Measurement => ({ name, unit: 'ms', values })),
    ...[...timed].map(([name, values]): Measurement => ({
      name: `${name}, the slowest of a hundred`,
      unit: 'ms',
      values: [[...values].sort((a, b) => a - b)[Math.ceil(values.length * 0.99) - 1] ?? Number.NaN],
      wanted: { of: 'median', at: 'most', value: 5 },
    })),
    {
      name: 'whole set of 10,000 replaced',
      unit: 'ms',
      values: replaced,
      wanted: { of: 'median', at: 'most', value: 150 },
    },
  ];
}

export const suite: BenchSuite = {
  name: 'packets',
  about: 'what filters in the kernel cost a packet, a connection and a change',
  async run({ quick, parts }) {
    const wanted = partsFor({ quick, ...(parts ? { parts } : {}) });
    const bed = await Bed.create({ nodes: ['bare', 'filtered', 'listed', 'sender', 'tracked'] });
    const nodes: Nodes = {
      sender: bed.place('sender'),
      bare: bed.place('bare'),
      filtered: bed.place('filtered'),
      listed: bed.place('listed'),
      tracked: bed.place('tracked'),
    };
    const enforced = await Enforced.at(nodes.filtered);
    const rows: Measurement[] = [];
    try {
      for (const place of [nodes.bare, nodes.filtered, nodes.listed, nodes.tracked]) {
        const script = sourcePath('scripts/bench/load.py');
        const server = place.spawn([
          '/usr/bin/python3',
          '-S',
          '-E',
          script,
          'serve',
          '0.0.0.0',
          String(port),
        ]);
        await server.says(/ready/u);
      }
      for (const part of setNames) {
        if (!wanted.has(part)) continue;
        const [size, kind] = sets[part];
        const filters = filtersFor(size, nodes.sender, kind);
        await enforced.enforce({ levels: [levelOf(filters)] });
        const name = `${size.toLocaleString('en')} filters ${kind}`;
        rows.push(...(await pairs(nodes, { name, to: nodes.filtered, quick, size })));
      }
      if (wanted.has('latch')) rows.push(...(await latchAlone(nodes, enforced, quick)));
      if (wanted.has('tracked')) {
        await tracked(nodes.tracked);
        rows.push(...(await pairs(nodes, { name: 'connection tracking alone', to: nodes.tracked, quick })));
      }
      if (wanted.has('line')) {
        const lined = quick ? 1000 : 10_000;
        await inALine(nodes.listed, filtersFor(lined, nodes.sender));
        const name = `${lined.toLocaleString('en')} plain rules in a line`;
        rows.push(...(await pairs(nodes, { name, to: nodes.listed, quick })));
      }
      if (wanted.has('changes')) rows.push(...(await changes(enforced, nodes.sender, quick)));
      return rows;
    } finally {
      await enforced.close();
      await bed.remove();
    }
  },
};
