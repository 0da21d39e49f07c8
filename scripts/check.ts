// npm run check: what to run before every commit.
import { runChecks } from './run/checks.js';

const { passed, failed, skipped } = await runChecks();
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed === 0 ? 0 : 1;
