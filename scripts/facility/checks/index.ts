import type { Check } from '../check.js';
import { boundaryChecks } from './boundary.js';
import { networkChecks } from './network.js';
import { nodeChecks } from './nodes.js';
import { pageChecks } from './page.js';
import { softwareChecks } from './software.js';

/** In the order in which they run. Add yours here. */
export const checks: readonly Check[] = [
  ...networkChecks,
  ...boundaryChecks,
  ...nodeChecks,
  ...pageChecks,
  ...softwareChecks,
];
