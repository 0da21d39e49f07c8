import type { Check } from '../check.js';
import { boundaryChecks } from './boundary.js';
import { networkChecks } from './network.js';
import { nodeChecks } from './nodes.js';
import { pageChecks } from './page.js';
import { softwareChecks } from './software.js';
import { runsSoftware } from '../software.js';
import { story } from '../story/story.js';

/** In the order in which they run. Add yours here, before the story, at whose end a lease has gone to another. */
export const checks: readonly Check[] = [
  ...networkChecks,
  ...boundaryChecks,
  ...nodeChecks,
  ...pageChecks,
  ...softwareChecks,
  // Without root, control groups belong to nobody who could run an engine.
  ...(runsSoftware() ? story : []),
];
