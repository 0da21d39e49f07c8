import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

/** Mocha's own summary for people (as a list, or as dots), and in a file the counts and the names of what failed, for the lines over all suites. */
const Style = process.env['MOCHA_STYLE'] === 'dot' ? Mocha.reporters.Dot : Mocha.reporters.Spec;

const ending_ms_max = 20_000;

function endAnyway(): void {
  console.error(`  what a test left open still runs: ${process.getActiveResourcesInfo().join(', ')}`);
  process.exit(1);
}

export default class CountingReporter extends Style {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    const broken: string[] = [];
    runner.on('fail', (test) => broken.push(test.fullTitle()));
    runner.once('end', () => {
      const { passes, failures, pending } = this.stats;
      const file = process.env['MOCHA_COUNTS'];
      const counts = { passed: passes, failed: failures, skipped: pending, broken };
      if (file !== undefined) writeFileSync(file, JSON.stringify(counts));
      // Only fires when something that a test left open keeps the suite from ending.
      setTimeout(endAnyway, ending_ms_max).unref();
    });
  }
}
