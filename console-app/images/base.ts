import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { limits } from '../../protocol/limits.js';
import { messageOf } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { Recipe } from './recipe.js';
import { runTool } from './run-tool.js';
import { closureOf, filesOfPackages, filesOfProgram } from './system.js';

/** Names that lead into /usr on every Debian of today. */
const merged = ['bin', 'lib', 'lib64', 'sbin'] as const;
const folders = ['dev', 'etc', 'proc', 'root', 'run', 'srv', 'sys', 'tmp', 'usr/bin', 'var/tmp'] as const;

/**
 * What an image stands on, as an archive: packages and programs, without the developer's own files. Made once for each state of them, and kept, so
 * that a change of the code costs its own files only.
 */
export async function baseOf(recipe: Recipe): Promise<Result<string>> {
  const { packages = [], programs = [] } = recipe;
  const closure = await closureOf(packages);
  if (!closure.ok) return closure;
  const files: string[] = [];
  const fromHere = closure.value.missing.length === 0 ? closure.value.installed : [];
  if (fromHere.length > 0) {
    const listed = await filesOfPackages(fromHere);
    if (!listed.ok) return listed;
    files.push(...listed.value);
  }
  for (const program of programs) {
    const listed = await filesOfProgram(program);
    if (!listed.ok) return listed;
    files.push(...listed.value);
  }
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'bmonitor', 'bases');
  const kept = join(cache, `${stampOf(recipe, files)}.tar`);
  if (existsSync(kept)) return ok(kept);
  try {
    mkdirSync(cache, { recursive: true, mode: 0o700 });
    const root = mkdtempSync(join(tmpdir(), 'bmonitor-base-'));
    try {
      const made = await fill(root, files, fromHere.length > 0 ? [] : packages);
      if (!made.ok) return made;
      const part = `${kept}.${process.pid}`;
      const packed = await pack(root, part);
      if (!packed.ok) return packed;
      renameSync(part, kept);
      return ok(kept);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  } catch (error) {
    return refuse('image-not-built', messageOf(error));
  }
}

/** Another version of a package or a program makes other files, with other sizes or times. */
function stampOf(recipe: Recipe, files: readonly string[]): string {
  const stamp = createHash('sha256').update(JSON.stringify([1, recipe.packages, recipe.programs]));
  for (const file of files) {
    const { size, mtimeMs, mode } = statSync(file, { throwIfNoEntry: false }) ?? {};
    stamp.update(JSON.stringify([file, size, mtimeMs, mode]));
  }
  return stamp.digest('hex').slice(0, 32);
}

async function fill(
  root: string,
  files: readonly string[],
  download: readonly string[],
): Promise<Result<unknown>> {
  for (const folder of folders) mkdirSync(join(root, folder), { recursive: true });
  for (const name of merged) {
    mkdirSync(join(root, 'usr', name), { recursive: true });
    symlinkSync(`usr/${name}`, join(root, name));
  }
  if (download.length > 0) {
    const unpacked = await downloadInto(root, download);
    if (!unpacked.ok) return unpacked;
  }
  if (files.length === 0) return ok(true);
  const listed = files.map((file) => `${file.slice(1)}\0`).join('');
  const archive = join(root, '..', `${root.split('/').at(-1)}.part`);
  try {
    const read = ['-C', '/', '--null', '--no-recursion', '--verbatim-files-from', '-T', '-', '-cf', archive];
    const packed = await runTool('tar', read, { input: listed });
    if (!packed.ok) return packed;
    return await runTool('tar', ['-C', root, '--keep-directory-symlink', '-xf', archive]);
  } finally {
    rmSync(archive, { force: true });
  }
}

/** With an empty list of what is installed, apt names and downloads everything that the packages need. Nothing of it is run. */
async function downloadInto(root: string, packages: readonly string[]): Promise<Result<unknown>> {
  const place = mkdtempSync(join(tmpdir(), 'bmonitor-debs-'));
  try {
    mkdirSync(join(place, 'partial'));
    const options = ['Dir::State::status=/dev/null', `Dir::Cache::archives=${place}`, 'Debug::NoLocking=1'];
    const words = ['-qq', '--no-install-recommends', '--download-only', '-y'];
    const got = await runTool('apt-get', [
      ...options.flatMap((option) => ['-o', option]),
      ...words,
      'install',
      ...packages,
    ]);
    if (!got.ok) return got;
    const debs = await runTool('find', [place, '-maxdepth', '1', '-name', '*.deb']);
    if (!debs.ok) return debs;
    for (const deb of debs.value.trim().split('\n').toSorted()) {
      const archive = join(place, 'data.tar');
      const opened = await runTool('sh', ['-c', 'dpkg-deb --fsys-tarfile "$1" > "$2"', 'sh', deb, archive]);
      if (!opened.ok) return opened;
      const words_out = ['-C', root, '--no-same-owner', '--keep-directory-symlink', '-xf', archive];
      const unpacked = await runTool('tar', words_out);
      if (!unpacked.ok) return unpacked;
    }
    return ok(true);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** The same files make the same archive, so that the same image has the same digest. */
export async function pack(root: string, to: string): Promise<Result<unknown>> {
  const same = ['--numeric-owner', '--owner=0', '--group=0', '--sort=name', '--mtime=@0', '--format=gnu'];
  const packed = await runTool('tar', [...same, '-C', root, '-cf', to, '.']);
  if (!packed.ok) return packed;
  const { size } = statSync(to);
  return size > limits.image_bytes_max ? refuse('too-large', `the base has ${size} bytes`) : ok(true);
}
