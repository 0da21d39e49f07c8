import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inNamespaces } from './namespaces.js';
import { program, tool } from './program.js';
import { root } from './root.js';

/** In the order of how much they need: nothing, nothing, sockets, root and namespaces, a browser, a whole machine. */
export const suites = ['unit', 'contract', 'scenario', 'facility', 'pages', 'machine'] as const;
export type Suite = (typeof suites)[number];

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** The full names of the tests that failed. */
  readonly broken: readonly string[];
}

export const none: Counts = { passed: 0, failed: 0, skipped: 0, broken: [] };

export function plus(one: Counts, other: Counts): Counts {
  return {
    passed: one.passed + other.passed,
    failed: one.failed + other.failed,
    skipped: one.skipped + other.skipped,
    broken: [...one.broken, ...other.broken],
  };
}

export interface SuiteOptions {
  readonly grep?: string | undefined;
  readonly reporter?: 'spec' | 'dot';
  /** Others run beside it: each of its lines begins with its name. */
  readonly labelled?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs one suite in a process of its own, with mocha's own words on the terminal. */
export async function runSuite(suite: Suite, options: SuiteOptions = {}): Promise<Counts> {
  const files = testFiles(suite);
  if (files.length === 0) return none;
  console.log(`\n${suite}`);
  const around = await surroundings(suite);
  if (around === undefined) return { ...none, [suite === 'machine' && !isRoot ? 'skipped' : 'failed']: 1 };
  const dir = mkdtempSync(join(tmpdir(), 'bmonitor-'));
  const counts = join(dir, 'counts.json');
  const times = join(dir, 'times');
  const temporary = join(dir, 't');
  mkdirSync(temporary);
  const reporter = join(root, 'dist/scripts/run/mocha-reporter.js');
  const grep = options.grep === undefined ? [] : ['--grep', options.grep];
  const command = tool('mocha/bin/mocha.js', '--reporter', reporter, ...grep, ...files);
  try {
    const { code, elapsed_ms } = await program(counting(around.within(command)), {
      show: options.labelled !== true,
      label: options.labelled === true ? suite : undefined,
      env: {
        ...options.env,
        ...around.env,
        TMPDIR: temporary,
        MOCHA_COUNTS: counts,
        PROCESSOR_TIMES: times,
        MOCHA_STYLE: options.reporter ?? 'spec',
      },
    });
    const result = JSON.parse(readFileSync(counts, 'utf8')) as Counts;
    console.log(
      `  ${suite}: ${(elapsed_ms / 1000).toFixed(0)} s, ${processorTime(times)} s of processor time`,
    );
    tellOfWhatIsLeft(suite, temporary);
    // Mocha can fail outside any test: a hook, an unhandled rejection, a file that does not load.
    return code !== 0 && result.failed === 0
      ? { ...result, failed: 1, broken: [`${suite}: outside of any test`] }
      : result;
  } catch {
    console.log(`  ${suite}: the suite did not come to its end`);
    return { ...none, failed: 1, broken: [`${suite}: did not come to its end`] };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The same command; afterwards the file that PROCESSOR_TIMES names has what it and all that it waited for took. */
function counting(command: readonly string[]): readonly string[] {
  return ['sh', '-c', '"$@"; code=$?; times >"$PROCESSOR_TIMES"; exit $code', 'sh', ...command];
}

/** The shell's last line: minutes and seconds in the programs, and in the kernel for them. */
function processorTime(file: string): string {
  const last = readFileSync(file, 'utf8').trim().split('\n').at(-1) ?? '';
  const seconds = [...last.matchAll(/(\d+)m([\d.]+)s/g)].map(([, m, s]) => 60 * Number(m) + Number(s));
  return seconds.reduce((sum, part) => sum + part, 0).toFixed(0);
}

/** Tests remove what they make; what one forgot is named here, and goes with the folder of the suite. */
function tellOfWhatIsLeft(suite: Suite, temporary: string): void {
  const kinds = new Set(readdirSync(temporary).map((name) => name.replace(/-[^-]*$/, '')));
  if (kinds.size > 0)
    console.log(`  ${suite}: left in its temporary folder: ${[...kinds].sort().join(', ')}`);
}

function testFiles(suite: Suite): string[] {
  const dir = join(root, 'dist/test', suite);
  if (!existsSync(dir)) return [];
  const names = readdirSync(dir, { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => name.endsWith('.test.js'))
    .sort()
    .map((name) => join(dir, name));
}

const isRoot = process.getuid?.() === 0;

interface Surroundings {
  readonly within: (command: readonly string[]) => readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** In what a suite runs. Undefined, and said why, when there is none. */
async function surroundings(suite: Suite): Promise<Surroundings | undefined> {
  switch (suite) {
    case 'unit':
    case 'contract':
    case 'scenario':
      return { within: (command) => command, env: {} };
    case 'facility':
    case 'pages':
      return { within: inNamespaces, env: {} };
    case 'machine':
      return machineSurroundings();
  }
}

/** The machine is made first, where there is a network; the suite has one of its own, with nobody else in it. */
async function machineSurroundings(): Promise<Surroundings | undefined> {
  if (!isRoot) {
    console.log('  skipped: only root can make the system of a machine (debootstrap)');
    return undefined;
  }
  const made = await program([process.execPath, join(root, 'dist/scripts/machine/image.js')]);
  const image = made.output.trim().split('\n').at(-1) ?? '';
  if (made.code !== 0) {
    console.log(`${made.output}  the machine could not be made`);
    return undefined;
  }
  return { within: (command) => ['unshare', '--net', ...command], env: { BMONITOR_MACHINE: image } };
}
