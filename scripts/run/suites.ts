import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inNamespaces } from './namespaces.js';
import { program, tool } from './program.js';
import { root } from './root.js';

/** In the order of how much they need: nothing, nothing, sockets, root and namespaces, a browser. */
export const suites = ['unit', 'contract', 'scenario', 'facility', 'pages'] as const;
export type Suite = (typeof suites)[number];

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export const none: Counts = { passed: 0, failed: 0, skipped: 0 };

export function plus(one: Counts, other: Counts): Counts {
  return {
    passed: one.passed + other.passed,
    failed: one.failed + other.failed,
    skipped: one.skipped + other.skipped,
  };
}

export interface SuiteOptions {
  readonly grep?: string | undefined;
  readonly reporter?: 'spec' | 'dot';
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs one suite in a process of its own, with mocha's own words on the terminal. */
export async function runSuite(suite: Suite, options: SuiteOptions = {}): Promise<Counts> {
  const files = testFiles(suite);
  if (files.length === 0) return none;
  const dir = mkdtempSync(join(tmpdir(), 'bmonitor-counts-'));
  const counts = join(dir, 'counts.json');
  const reporter = join(root, 'dist/scripts/run/mocha-reporter.js');
  const grep = options.grep === undefined ? [] : ['--grep', options.grep];
  const command = tool('mocha/bin/mocha.js', '--reporter', reporter, ...grep, ...files);
  console.log(`\n${suite}`);
  try {
    const { code, elapsed_ms } = await program(needsNamespaces(suite) ? inNamespaces(command) : command, {
      show: true,
      env: { ...options.env, MOCHA_COUNTS: counts, MOCHA_STYLE: options.reporter ?? 'spec' },
    });
    const result = JSON.parse(readFileSync(counts, 'utf8')) as Counts;
    console.log(`  ${suite}: ${(elapsed_ms / 1000).toFixed(1)} s`);
    // Mocha can fail outside any test: a hook, an unhandled rejection, a file that does not load.
    return code !== 0 && result.failed === 0 ? { ...result, failed: 1 } : result;
  } catch {
    console.log(`  ${suite}: the suite did not come to its end`);
    return { ...none, failed: 1 };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
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

function needsNamespaces(suite: Suite): boolean {
  return suite === 'facility' || suite === 'pages';
}
