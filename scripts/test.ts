// npm test: the checks, then every suite; coverage; and one line over all of them at the end.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runChecks } from './run/checks.js';
import { showCoverage } from './run/coverage.js';
import { none, plus, runSuite, suites, type Suite } from './run/suites.js';

const { values } = parseArgs({
  options: { only: { type: 'string', multiple: true }, grep: { type: 'string' } },
});
const isSuite = (name: string): name is Suite => suites.includes(name as Suite);
const only = values.only ?? [];
const unknown = only.find((name) => !isSuite(name));
if (unknown !== undefined) {
  console.error(`There is no suite "${unknown}". The suites are: ${suites.join(' ')}.`);
  process.exit(2);
}

const partial = only.length > 0 || values.grep !== undefined;
const coverage = mkdtempSync(join(tmpdir(), 'bmonitor-coverage-'));
// Every Node.js process that a test starts writes what it covered, the daemons too.
const env = partial ? {} : { NODE_V8_COVERAGE: coverage };
try {
  let counts = partial ? none : await runChecks(env);
  const chosen = suites.filter((suite) =>
    only.length > 0 ? only.includes(suite) : partial || suite !== 'unit',
  );
  const labelled = chosen.length > 1;
  const lanes = divide(chosen).map(async (lane) => {
    let sum = none;
    for (const suite of lane) sum = plus(sum, await runSuite(suite, { grep: values.grep, env, labelled }));
    return sum;
  });
  for (const sum of await Promise.all(lanes)) counts = plus(counts, sum);
  if (!partial) await showCoverage(coverage);
  for (const name of counts.broken) console.log(`failed: ${name}`);
  console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  process.exitCode = counts.failed === 0 ? 0 : 1;
} finally {
  rmSync(coverage, { recursive: true, force: true });
}

/** What runs side by side: most tests wait for something most of the time, and the machine's one processor is emulated by one of ours. */
function divide(chosen: readonly Suite[]): Suite[][] {
  const lanes: Suite[][] = [['machine'], ['facility'], ['unit', 'contract', 'scenario', 'pages']];
  return lanes.map((lane) => lane.filter((suite) => chosen.includes(suite)));
}
