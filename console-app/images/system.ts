import { lstatSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { messageOf } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { runTool } from './run-tool.js';

/** What no program needs to run. */
const without = /^\/usr\/share\/(doc|man|info|locale|lintian|bug|doc-base)\//u;

/** Where a file really lies on a machine whose /bin and /lib lead into /usr; the file itself may be a link. */
export function placeOf(path: string): string {
  return join(realpathSync(dirname(path)), basename(path));
}

/** The installed packages that these need, themselves included; and those that are not installed here. */
export async function closureOf(
  names: readonly string[],
): Promise<Result<{ readonly installed: readonly string[]; readonly missing: readonly string[] }>> {
  const format =
    '${db:Status-Abbrev}\t${Package}\t${binary:Package}\t${Pre-Depends}, ${Depends}\t${Provides}\n';
  const listed = await runTool('dpkg-query', ['-W', '-f', format]);
  if (!listed.ok) return listed;
  const packages = new Map<
    string,
    { readonly full: string; readonly needs: readonly (readonly string[])[] }
  >();
  for (const line of listed.value.split('\n')) {
    const [status = '', name = '', full = '', needs = '', provides = ''] = line.split('\t');
    if (!status.startsWith('ii')) continue;
    const known = { full, needs: needsIn(needs) };
    for (const one of [name, ...needsIn(provides).flat()]) if (!packages.has(one)) packages.set(one, known);
    packages.set(name, known);
  }
  const found = new Set<string>();
  const missing = names.filter((name) => !packages.has(name));
  const look = (name: string): void => {
    const known = packages.get(name);
    if (!known || found.has(known.full)) return;
    found.add(known.full);
    for (const choices of known.needs) {
      const chosen = choices.find((choice) => packages.has(choice));
      if (chosen !== undefined) look(chosen);
    }
  };
  for (const name of names) look(name);
  return ok({ installed: [...found].toSorted(), missing });
}

function needsIn(text: string): readonly (readonly string[])[] {
  return text
    .split(',')
    .map((clause) => clause.split('|').map((choice) => /^\s*([a-z0-9][a-z0-9+.-]*)/.exec(choice)?.[1] ?? ''))
    .map((choices) => choices.filter((choice) => choice !== ''))
    .filter((choices) => choices.length > 0);
}

/** The files of installed packages, as they lie on this machine. */
export async function filesOfPackages(packages: readonly string[]): Promise<Result<readonly string[]>> {
  const listed = await runTool('dpkg-query', ['-L', ...packages]);
  if (!listed.ok) return listed;
  const files = new Set<string>();
  for (const path of listed.value.split('\n')) {
    if (!path.startsWith('/') || without.test(`${path}/`) || path === '/.') continue;
    try {
      if (!lstatSync(path).isDirectory()) files.add(placeOf(path));
    } catch {
      // What a package lists and somebody took away is missing here as well.
    }
  }
  return ok([...files].toSorted());
}

/** A program of this machine with the libraries that it needs; links are taken with what they lead to. */
export async function filesOfProgram(program: string): Promise<Result<readonly string[]>> {
  const found = program.includes('/') ? ok(program) : await runTool('which', [program]);
  if (!found.ok) return refuse('image-not-built', `there is no program ${program} on this machine`);
  const path = found.value.trim();
  const files = new Set<string>();
  const add = (one: string): void => {
    files.add(placeOf(one));
    files.add(realpathSync(one));
  };
  try {
    add(path);
    const libraries = await runTool('ldd', [realpathSync(path)]);
    // A program without libraries is whole by itself, and ldd says so by failing.
    for (const [library] of (libraries.ok ? libraries.value : '').matchAll(/\/\S+(?= \(0x)/g)) add(library);
  } catch (error) {
    return refuse('image-not-built', messageOf(error));
  }
  return ok([...files].toSorted());
}
