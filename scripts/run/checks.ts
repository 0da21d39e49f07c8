import { program, tool } from './program.js';
import { runSuite, type Counts } from './suites.js';

interface Check {
  readonly name: string;
  readonly command: readonly string[];
  /** What a person does about a failure. */
  readonly todo: string;
}

const checks: readonly Check[] = [
  {
    name: 'format',
    command: tool('prettier/bin/prettier.cjs', '--check', '--cache', '--log-level', 'warn', '.'),
    todo: 'run `npm run format`',
  },
  {
    name: 'lint',
    command: tool('oxlint/bin/oxlint', '--type-aware', '--deny-warnings'),
    todo: 'correct the places that are named',
  },
  {
    name: 'types',
    command: [process.execPath, 'scripts/build.mjs'],
    todo: 'correct the places that are named',
  },
];

/** Format, lint, types, then the unit tests, the house rules among them. Gives what failed and the tests' counts. */
export async function runChecks(env: Readonly<Record<string, string>> = {}): Promise<Counts> {
  const broken: string[] = [];
  for (const check of checks) {
    const { code, output, elapsed_ms } = await program(check.command);
    const took = `${(elapsed_ms / 1000).toFixed(1)} s`;
    if (code === 0) console.log(`ok     ${check.name} (${took})`);
    else {
      broken.push(check.name);
      console.log(`${output.trimEnd()}\nfailed ${check.name} (${took}): ${check.todo}`);
    }
  }
  const unit = await runSuite('unit', { reporter: 'dot', env });
  return { ...unit, failed: unit.failed + broken.length, broken: [...broken, ...unit.broken] };
}
