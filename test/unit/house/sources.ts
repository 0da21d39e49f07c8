import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function findRoot(): string {
  let dir = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(dir, 'package.json'))) dir = dirname(dir);
  return dir;
}

export const root = findRoot();
const notOurs = new Set(['node_modules', 'dist', '.git', 'coverage', '.cache']);

/** Every file of the repository, by its path from the top; what is made by tools is left out. */
export function allFiles(dir = ''): readonly string[] {
  return readdirSync(join(root, dir), { withFileTypes: true }).flatMap((entry) => {
    if (notOurs.has(entry.name)) return [];
    const path = dir === '' ? entry.name : `${dir}/${entry.name}`;
    return entry.isDirectory() ? allFiles(path) : [path];
  });
}

export function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

export const sources: readonly string[] = allFiles().filter((file) => /\.(ts|mjs)$/.test(file));

/** What runs at those who use BMonitor; the examples are engines of theirs. */
export const production: readonly string[] = sources.filter(
  (file) => !/^(test|scripts|docs\/examples)\//.test(file),
);

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly scripts: Readonly<Record<string, string>>;
  readonly bin: Readonly<Record<string, string>>;
}

export const manifest = JSON.parse(read('package.json')) as Manifest;
export const packages = {
  dependencies: Object.keys(manifest.dependencies),
  devDependencies: Object.keys(manifest.devDependencies),
};
export const debianPackages = JSON.parse(read('scripts/debian-packages.json')) as Readonly<
  Record<string, string>
>;
