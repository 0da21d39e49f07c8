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
  // Ten starts under emulation are some fifteen minutes of processor time: the machine's story is told by its name only (npm run test:machine).
  const chosen = suites.filter((suite) =>
    only.length > 0 ? only.includes(suite) : suite !== 'machine' && (partial || suite !== 'unit'),
  );
  for (const suite of chosen) counts = plus(counts, await runSuite(suite, { grep: values.grep, env }));
  if (!partial) await showCoverage(coverage);
  console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  process.exitCode = counts.failed === 0 ? 0 : 1;
} finally {
  rmSync(coverage, { recursive: true, force: true });
}
