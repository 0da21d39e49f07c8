// npm run bench: runs the suites of scripts/bench/, prints a table and writes bench.json.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { arch, cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { rowsOf, type Row } from './bench/statistics.js';
import type { BenchSuite, BenchTools } from './bench/suite.js';
import { root } from './run/root.js';

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    quick: { type: 'boolean' },
    minutes: { type: 'string' },
    part: { type: 'string', multiple: true },
    out: { type: 'string' },
  },
});

const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
if (minutes !== undefined && !(minutes > 0 && minutes <= 24 * 60)) {
  console.error('--minutes takes a number above 0, a day at most.');
  process.exit(2);
}

const tools: BenchTools = {
  quick: values.quick === true,
  ...(minutes === undefined ? {} : { minutes }),
  ...(values.part === undefined ? {} : { parts: values.part }),
  async time(run, { samples = 20, warmup = 3 } = {}) {
    const taken: number[] = [];
    for (let round = -warmup; round < samples; round++) {
      const started = performance.now();
      await run();
      if (round >= 0) taken.push(performance.now() - started);
    }
    return taken;
  },
};

/** Each is called by its file, or by its own name. */
async function loadSuites(wanted: readonly string[]): Promise<readonly BenchSuite[]> {
  const dir = join(root, 'dist/scripts/bench');
  const files = readdirSync(dir).filter((name) => name.endsWith('.js'));
  const modules = await Promise.all(
    files.map(async (file) => {
      const { suite } = (await import(join(dir, file))) as { readonly suite?: BenchSuite };
      const called = [file.slice(0, -'.js'.length), suite?.name ?? ''];
      return wanted.length === 0 || called.some((name) => wanted.includes(name)) ? suite : undefined;
    }),
  );
  return modules.filter((suite) => suite !== undefined);
}

function version(command: string, ...args: readonly string[]): string {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
      .trim()
      .split('\n')[0] as string;
  } catch {
    return 'not here';
  }
}

function machine(): Readonly<Record<string, unknown>> {
  const processors = cpus();
  return {
    processor: processors[0]?.model,
    processors: processors.length,
    memory_bytes: totalmem(),
    architecture: arch(),
    kernel: release(),
    debian: readFileSync('/etc/debian_version', 'utf8').trim(),
    versions: {
      node: process.version,
      openssl: process.versions['openssl'],
      nft: version('nft', '--version'),
      bmonitor: version('git', '-C', root, 'describe', '--always', '--dirty'),
    },
  };
}

function figure(value: number): string {
  if (!Number.isFinite(value)) return '-';
  if (Math.abs(value) >= 1000) return value.toFixed(0);
  return value.toPrecision(3);
}

function wantedText({ wanted, met, unit }: Row): string {
  if (wanted === undefined) return '';
  const words = unit.replace('_per_', '/').replace('per_', '/');
  const value = wanted.of === 'ratio' ? String(wanted.value) : `${wanted.value} ${words}`;
  return `  wanted: at ${wanted.at} ${value}${met === true ? '' : ', not met'}`;
}

function print(suite: BenchSuite, rows: readonly Row[]): void {
  console.log(`\n${suite.name}: ${suite.about}`);
  const width = Math.max(...rows.map((row) => row.name.length), 10);
  for (const row of rows) {
    const middle = row.values.length > 1 ? `${figure(row.low)}-${figure(row.high)}` : '';
    const ratio = row.ratio === undefined ? '' : `${figure(row.ratio)} x ${row.baseline}`;
    const value = `${figure(row.median)} ${row.unit.replace('_per_', '/').replace('per_', '/')}`;
    const line = `  ${row.name.padEnd(width)}  ${value.padStart(14)}  ${middle.padEnd(17)} ${ratio}${wantedText(row)}`;
    console.log(line.trimEnd());
  }
}

const only = values.only ?? [];
const suites = await loadSuites(only);
if (suites.length === 0) {
  console.error('There is no such suite.');
  process.exit(2);
}
const results: unknown[] = [];
for (const suite of suites) {
  const rows = rowsOf(await suite.run(tools));
  print(suite, rows);
  results.push({ suite: suite.name, about: suite.about, measurements: rows });
}
const out = values.out ?? join(root, 'bench.json');
const report = { at: new Date().toISOString(), quick: tools.quick, machine: machine(), results };
writeFileSync(out, `${JSON.stringify(report, null, 2)}\n`);
console.log(`\nmedians, and the range of the middle half; all figures are in ${out}`);
