import { isBuiltin } from 'node:module';
import { posix } from 'node:path';
import { importsOf } from './imports.js';

/** The rooms of the house and the rooms each may import from, besides itself. Whatever is not listed here is refused. */
const parts = ['authority', 'addresses', 'filters', 'keys', 'engines', 'health', 'volumes'].map(
  (part) => `bmonitor/${part}`,
);
const base = ['crypto', 'protocol'];
const consoleMay = [...base, 'console', 'bmonitor/filters'];

export const mayImport: Readonly<Record<string, readonly string[]>> = {
  crypto: [],
  protocol: ['crypto'],
  'bmonitor/ports': base,
  ...Object.fromEntries(parts.map((part) => [part, [...base, 'bmonitor/ports']])),
  'bmonitor/node': [...base, 'bmonitor/ports', ...parts],
  'bmonitor/host': [...base, 'bmonitor/ports'],
  'bmonitor/version.ts': [],
  'bmonitor/main.ts': [
    ...base,
    'bmonitor/version.ts',
    'bmonitor/addresses-here.ts',
    'bmonitor/engines-here.ts',
    'bmonitor/health-here.ts',
    'bmonitor/filtering-here.ts',
    'bmonitor/ports',
    ...parts,
    'bmonitor/node',
    'bmonitor/host',
  ],
  'bmonitor/local.ts': ['protocol', 'bmonitor/host'],
  // What main.ts wires of the engines and of the filters, each a page of its own.
  'bmonitor/addresses-here.ts': [
    ...base,
    'bmonitor/ports',
    ...parts,
    'bmonitor/node',
    'bmonitor/host',
    'bmonitor/filtering-here.ts',
  ],
  'bmonitor/engines-here.ts': [...base, 'bmonitor/ports', ...parts, 'bmonitor/node', 'bmonitor/host'],
  'bmonitor/filtering-here.ts': [...base, 'bmonitor/ports', ...parts, 'bmonitor/node', 'bmonitor/host'],
  'bmonitor/pair.ts': [
    ...base,
    'bmonitor/version.ts',
    'bmonitor/ports',
    ...parts,
    'bmonitor/node',
    'bmonitor/host',
    'bmonitor/main.ts',
    'bmonitor/local.ts',
  ],
  'bmonitor/health-here.ts': [...base, 'bmonitor/ports', ...parts, 'bmonitor/node', 'bmonitor/host'],
  // The command line reads the node's configuration, whose form is in bmonitor/node.
  'bmonitor/cli': [
    ...base,
    'bmonitor/version.ts',
    ...parts,
    'bmonitor/node',
    'bmonitor/main.ts',
    'bmonitor/local.ts',
    'bmonitor/pair.ts',
  ],
  console: [...base, 'bmonitor/filters'],
  'console-cluster': consoleMay,
  'console-app': consoleMay,
};

/** These may import from everywhere, and nobody from them, except the scripts from the test bed. */
const outside = ['test', 'scripts'];

export function roomOf(file: string): string {
  const [first = '', second = ''] = file.split('/');
  return first === 'bmonitor' ? `${first}/${second}` : first;
}

export interface Breach {
  readonly file: string;
  readonly line: number;
  readonly why: string;
}

export interface Packages {
  readonly dependencies: readonly string[];
  readonly devDependencies: readonly string[];
}

/** The imports of one source that point the wrong way. */
export function breachesOf(file: string, source: string, packages: Packages): readonly Breach[] {
  return importsOf(source).flatMap(({ target, line }) => {
    const why = target === undefined ? computed(file) : refusal(file, target, packages);
    return why === undefined ? [] : [{ file, line, why }];
  });
}

function computed(file: string): string | undefined {
  return outside.includes(roomOf(file)) ? undefined : 'an import whose target is computed cannot be checked';
}

function refusal(file: string, target: string, packages: Packages): string | undefined {
  if (target.startsWith('.')) return wrongRoom(file, posix.join(posix.dirname(file), target));
  if (target.startsWith('/')) return 'an absolute path is not of the house';
  return wrongPackage(file, target, packages);
}

function wrongRoom(file: string, target: string): string | undefined {
  const from = roomOf(file);
  if (!target.endsWith('.js') && !target.endsWith('.json')) return `${target} lacks its .js`;
  const to = roomOf(target.replace(/\.js$/, '.ts'));
  if (to === from) return undefined;
  if (outside.includes(from)) return undefined;
  const allowed = mayImport[from];
  if (allowed === undefined) return `${from} is no room of the house`;
  if (allowed.includes(to)) return undefined;
  return `${from} may import from ${allowed.join(', ') || 'nothing of ours'}, not from ${to}`;
}

function wrongPackage(file: string, target: string, packages: Packages): string | undefined {
  const inPage = file.includes('/page/');
  if (target.startsWith('node:')) return inPage ? `a page cannot use ${target}` : undefined;
  if (isBuiltin(target)) return `built-ins are imported with their prefix: node:${target}`;
  const name = target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/');
  if (inPage) return `a page has no packages, such as ${name}`;
  if (packages.dependencies.includes(name)) return undefined;
  if (packages.devDependencies.includes(name))
    return outside.includes(roomOf(file)) ? undefined : `${name} is a development dependency`;
  return `${name} is not in package.json`;
}
