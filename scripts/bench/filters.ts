import { compileSet } from '../../bmonitor/filters/compile.js';
import type { LevelBoxes } from '../../bmonitor/filters/boxes.js';
import { explainCapture } from '../../bmonitor/filters/explain/index.js';
import type { Filter, NormalSet, PeerRange } from '../../bmonitor/filters/model.js';
import { normaliseSet } from '../../bmonitor/filters/normalise.js';
import { prove } from '../../bmonitor/filters/prove.js';
import type { BenchSuite, BenchTools, Measurement } from './suite.js';

/** The same numbers in every run. */
function generator(): (below: number) => number {
  let state = 12_345;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return Math.floor((state / 0x8000_0000) * below);
  };
}

function normal(filters: readonly Filter[]): NormalSet {
  const set = normaliseSet({ otherwise: 'deny', filters });
  if (!set.ok) throw new Error(set.refusal.detail);
  return set.value;
}

function filtersOf(count: number, family: 4 | 6): readonly Filter[] {
  const random = generator();
  const byte = (): number => random(256);
  const word = (): string => random(65_536).toString(16);
  return Array.from({ length: count }, (_, index): Filter => {
    const first = random(60_000);
    return {
      action: index % 10 === 0 ? 'deny' : 'allow',
      direction: index % 2 === 0 ? 'in' : 'out',
      peers: [family === 4 ? `10.${byte()}.${byte()}.0/24` : `2001:db8:${word()}:${word()}::/64`],
      protocol: random(2) === 0 ? 'tcp' : 'udp',
      ports: [`${first}-${first + 2 + random(1000)}`],
    };
  });
}

/** Every allow a little smaller, so that each of the filters has to be looked at to see that they fit. */
function narrower(filters: readonly Filter[]): readonly Filter[] {
  return filters.map((filter) => {
    if (filter.action === 'deny') return filter;
    const [lo, hi] = String(filter.ports?.[0]).split('-').map(Number);
    return { ...filter, ports: [`${(lo ?? 0) + 1}-${hi}`] };
  });
}

async function proofs(tools: BenchTools): Promise<readonly Measurement[]> {
  const measured: Measurement[] = [];
  for (const family of [4, 6] as const)
    for (const count of tools.quick ? [10_000] : [10_000, 100_000]) {
      const filters = filtersOf(count, family);
      const [outer, inner] = [normal(filters), normal(narrower(filters))];
      const values = await tools.time(
        () => {
          if (!prove(inner, [outer]).within) throw new Error('the proof is wrong');
        },
        { samples: count > 10_000 ? 9 : 20, warmup: 3 },
      );
      const wanted = { of: 'median', at: 'most', value: count > 10_000 ? 400 : 30 } as const;
      measured.push({ name: `proof, ${count} against ${count}, IPv${family}`, unit: 'ms', values, wanted });
    }
  return measured;
}

const node: PeerRange = { family: 4, lo: 0x0a00_0007n, hi: 0x0a00_0007n };

/** Connections of ten packets each, a third of them refused, as a raw IP capture. */
function captureOf(packets: number): Buffer {
  const random = generator();
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(262_144, 16);
  header.writeUInt32LE(101, 20);
  const chunks = [header];
  let [peer, port, service] = [0, 0, 0];
  for (let number = 0; number < packets; number++) {
    const step = number % 10;
    if (step === 0) [peer, port, service] = [0x0a01_0000 + random(65_536), 1024 + random(60_000), random(3)];
    const back = step % 2 === 1;
    const data = step < 3 ? 0 : random(1400);
    const record = Buffer.alloc(16 + 40 + data);
    record.writeUInt32LE(1_700_000_000 + Math.floor(number / 100_000), 0);
    record.writeUInt32LE(40 + data, 8);
    record.writeUInt32LE(40 + data, 12);
    record[16] = 0x45;
    record.writeUInt16BE(40 + data, 18);
    record[25] = 6;
    record.writeUInt32BE(back ? Number(node.lo) : peer, 28);
    record.writeUInt32BE(back ? peer : Number(node.lo), 32);
    record.writeUInt16BE(back ? 80 + service : port, 36);
    record.writeUInt16BE(back ? port : 80 + service, 38);
    record[48] = 0x50;
    record[49] = step === 0 ? 2 : step === 1 ? 18 : 16;
    chunks.push(record);
  }
  return Buffer.concat(chunks);
}

async function* inPieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 1 << 20) yield bytes.subarray(at, at + (1 << 20));
}

async function explaining(tools: BenchTools): Promise<readonly Measurement[]> {
  const packets = tools.quick ? 50_000 : 300_000;
  const bytes = captureOf(packets);
  const sets: readonly (readonly Filter[])[] = [
    [{ action: 'allow', direction: 'in', peers: ['10.1.0.0/16'], protocol: 'tcp', ports: ['80-81'] }],
    [...filtersOf(10_000, 4), { action: 'allow', direction: 'in', protocol: 'tcp', ports: ['80-90'] }],
  ];
  const levels = sets.map((filters): LevelBoxes => {
    const compiled = compileSet(normal(filters));
    if (!compiled.ok) throw new Error(compiled.refusal.detail);
    return compiled.value;
  });
  const times = await tools.time(
    async () => {
      const explained = await explainCapture(inPieces(bytes), { levels, addresses: [node] }, () => {});
      if (!explained.ok || explained.value.packets !== packets) throw new Error('not all was explained');
    },
    { samples: 5, warmup: 1 },
  );
  return [
    {
      name: 'explain, packets of a capture',
      unit: 'per_s',
      values: times.map((time) => (packets / time) * 1000),
      wanted: { of: 'median', at: 'least', value: 200_000 },
    },
  ];
}

export const suite: BenchSuite = {
  name: 'filters, offline',
  about:
    'The proof (wanted: 30 ms at 10,000 and 400 ms at 100,000 a side) and explain (wanted: 200,000 packets a second).',
  run: async (tools) => [...(await proofs(tools)), ...(await explaining(tools))],
};
