import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function findRoot(): string {
  let dir = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(dir, 'package.json'))) dir = dirname(dir);
  return dir;
}

/** The top folder of the repository, wherever this was compiled to. */
export const root = findRoot();

/** A file of the sources that is not TypeScript. */
export function sourcePath(path: string): string {
  return join(root, path);
}

/** A compiled program, by its path in the sources: `bmonitor/cli/index.js`. */
export function distPath(path: string): string {
  return join(root, 'dist', path);
}
