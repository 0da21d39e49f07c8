import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../run/root.js';
import { authorityPage } from './authority.js';
import { commandsPage } from './commands.js';
import { errorsPage } from './errors.js';
import { limitSources, limitsPage } from './limits.js';
import { metricsPage } from './metrics.js';

/** The pages that are made from the sources, as they should be, by their path. */
export function generatedPages(): ReadonlyMap<string, string> {
  const limits = limitSources.map((file) => readFileSync(join(root, file), 'utf8')).join('\n');
  const commands = readFileSync(join(root, 'protocol/commands.ts'), 'utf8');
  return new Map([
    ['docs/authority.md', authorityPage(commands)],
    ['docs/commands.md', commandsPage(commands)],
    ['docs/errors.md', errorsPage()],
    ['docs/limits.md', limitsPage(limits)],
    ['docs/metrics.md', metricsPage()],
  ]);
}
