import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

/** Mocha's own summary for people (as a list, or as dots), and the counts in a file for the line over all suites. */
const Style = process.env['MOCHA_STYLE'] === 'dot' ? Mocha.reporters.Dot : Mocha.reporters.Spec;

export default class CountingReporter extends Style {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    runner.once('end', () => {
      const { passes, failures, pending } = this.stats;
      const file = process.env['MOCHA_COUNTS'];
      const counts = { passed: passes, failed: failures, skipped: pending };
      if (file !== undefined) writeFileSync(file, JSON.stringify(counts));
    });
  }
}
