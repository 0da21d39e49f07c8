import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'prettier';
import { root } from '../run/root.js';
import { errorsPage } from './errors.js';
import { limitsPage } from './limits.js';

/** The pages that are made from the sources, as they should be, by their path. */
export async function generatedPages(): Promise<ReadonlyMap<string, string>> {
  const limits = readFileSync(join(root, 'protocol/limits.ts'), 'utf8');
  const style = JSON.parse(readFileSync(join(root, '.prettierrc.json'), 'utf8')) as Record<string, unknown>;
  const pages = new Map([
    ['docs/errors.md', errorsPage()],
    ['docs/limits.md', limitsPage(limits)],
  ]);
  for (const [path, text] of pages) pages.set(path, await format(text, { ...style, parser: 'markdown' }));
  return pages;
}
