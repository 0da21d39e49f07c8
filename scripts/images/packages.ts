import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

function run(program: string, words: readonly string[], cwd?: string): string {
  return execFileSync(program, words, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 1 << 26,
    env: { ...process.env, LC_ALL: 'C' },
    ...(cwd === undefined ? {} : { cwd }),
  });
}

/** Only libraries are followed: what else a package depends on serves its installation, and nothing is installed here. */
const library = /^(?:lib(?!perl|pam)|zlib)/u;

/** What each package depends on, of these and all that they lead to: one question for all, since each costs a second. */
function graphOf(names: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const words = ['--recurse', '--no-recommends', '--no-suggests', '--no-conflicts', '--no-breaks'];
  const said = run('apt-cache', ['depends', ...words, '--no-replaces', '--no-enhances', ...names]);
  const graph = new Map<string, string[]>();
  let needs: string[] = [];
  for (const line of said.split('\n')) {
    if (/^[a-z0-9]/u.test(line)) graph.set(line, (needs = []));
    const [, needed] = /^ +(?:Pre)?Depends: ([a-z0-9][a-z0-9.+-]*)$/u.exec(line) ?? [];
    if (needed !== undefined) needs.push(needed);
  }
  return graph;
}

/** The packages with all libraries that they need, each with the version that this machine's lists of packages know: `name=version`. */
export function packagesOf(names: readonly string[]): readonly string[] {
  const graph = graphOf(names);
  const all = new Set(names);
  for (const name of all)
    for (const needed of graph.get(name) ?? []) if (library.test(needed)) all.add(needed);
  const sorted = [...all].sort();
  const said = run('apt-cache', ['show', '--no-all-versions', ...sorted]);
  const versions = new Map<string, string>();
  for (const one of said.split('\n\n')) {
    const [, name] = /^Package: (.+)$/mu.exec(one) ?? [];
    const [, version] = /^Version: (.+)$/mu.exec(one) ?? [];
    if (name !== undefined && version !== undefined) versions.set(name, version);
  }
  return sorted.map((name) => {
    const version = versions.get(name);
    if (version === undefined)
      throw new Error(`this machine knows no package ${name}: apt-get update, then try again`);
    return `${name}=${version}`;
  });
}

/** The packages' files, from the network only if they are not kept here already. */
export function archivesOf(versions: readonly string[], kept: string): readonly string[] {
  mkdirSync(kept, { recursive: true });
  return versions.map((version) => {
    const folder = join(kept, encodeURIComponent(version));
    if (!existsSync(folder)) {
      const making = mkdtempSync(join(kept, '.making-'));
      try {
        run('apt-get', ['-q', '-o', 'APT::Sandbox::User=root', 'download', version], making);
        if (!existsSync(folder)) renameSync(making, folder);
      } finally {
        rmSync(making, { recursive: true, force: true });
      }
    }
    const [archive] = readdirSync(folder);
    if (archive === undefined) throw new Error(`${folder} is empty: remove it, then try again`);
    return join(folder, archive);
  });
}

/** No script of a package is run. */
export function spread(archives: readonly string[], folder: string): void {
  for (const archive of archives) run('dpkg-deb', ['-x', archive, folder]);
}
