// npm run docs: writes the pages of docs/ that are made from the sources. Every build does it too.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { generatedPages } from './docs/pages.js';
import { root } from './run/root.js';

for (const [path, text] of generatedPages()) {
  const file = join(root, path);
  if (existsSync(file) && readFileSync(file, 'utf8') === text) continue;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  console.log(`${path} follows the sources again: commit it`);
}
