import type { Facility } from './facility.js';

/** One thing that a person could try, tried by a program. Every part of BMonitor adds its own to checks/. */
export interface Check {
  /** What is true if it holds, as a person would say it. */
  readonly name: string;
  /** Throws, with what it saw instead, if it does not hold. */
  run(facility: Facility): Promise<void>;
}

/** Says what was seen where something else was expected. */
export function expect(holds: boolean, saw: () => string): asserts holds {
  if (!holds) throw new Error(`saw ${saw()}`);
}

/** Runs all of them in their order, one line for each. Gives how many failed. */
export async function runChecks(facility: Facility, checks: readonly Check[]): Promise<number> {
  let failed = 0;
  for (const check of checks) {
    try {
      await check.run(facility);
      console.log(`ok     ${check.name}`);
    } catch (error) {
      failed++;
      const why = error instanceof Error ? error.message : String(error);
      console.log(`failed ${check.name}: ${why.trim().replaceAll('\n', '\n         ')}`);
    }
  }
  return failed;
}
