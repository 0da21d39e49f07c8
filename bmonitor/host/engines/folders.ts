import { randomBytes } from 'node:crypto';
import { chmod, chown, lstat, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../../protocol/log.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import type { EngineSettings } from '../../../protocol/engines.js';
import { folderDigest, type EngineFolders, type KeptFolder } from '../../ports/engines.js';
import { runTool } from './tools.js';

/** A folder of the lease on its way into an engine. */
export interface FolderMount {
  /** Where it rests. */
  readonly from: string;
  /** Where it is, with its ids shifted into the engine's range, for the runtime to take it from. */
  readonly to: string;
  /** Where the engine finds it. */
  readonly at: string;
  readonly readOnly: boolean;
}

function placeOf(leaseFolder: string): string {
  return join(leaseFolder, 'folders');
}

/**
 * The folders that an engine mounts, made where they are not there yet: then they belong to the user as whom that engine runs. Files in them rest with
 * ids from 0 to 65,535, as in images, and each engine sees them in its own range. Nobody but BMonitor can write beside them, so that no link stands
 * in the place of one; a link inside is followed by engines in their own files, and by nobody else.
 */
export async function mountedFolders(
  leaseFolder: string,
  run: string,
  { settings, owner }: { settings: EngineSettings; owner: { readonly uid: number; readonly gid: number } },
): Promise<readonly FolderMount[]> {
  const mounts: FolderMount[] = [];
  for (const [index, { folder, at, readOnly }] of (settings.mounts ?? []).entries()) {
    const from = join(placeOf(leaseFolder), folder);
    const made = await mkdir(placeOf(leaseFolder), { recursive: true, mode: 0o700 });
    if (made !== undefined) await chmod(placeOf(leaseFolder), 0o700);
    const before = await lstat(from).catch(() => undefined);
    if (before && !before.isDirectory()) throw new Error(`the folder ${folder} is no folder`);
    if (!before) {
      await mkdir(from);
      await chown(from, owner.uid, owner.gid);
      await chmod(from, 0o755);
    }
    mounts.push({ from, to: join(run, `folder-${index}`), at, readOnly: readOnly === true });
  }
  return mounts;
}

/** What rests of them. */
export class LeaseFolders implements EngineFolders {
  readonly #folderOf: (lease: string) => Promise<Result<string>>;
  readonly #hasFolder: (lease: string) => Promise<boolean>;

  constructor(
    folderOf: (lease: string) => Promise<Result<string>>,
    hasFolder: (lease: string) => Promise<boolean>,
  ) {
    this.#folderOf = folderOf;
    this.#hasFolder = hasFolder;
  }

  async list(lease: string): Promise<Result<readonly KeptFolder[]>> {
    const place = await this.#place(lease);
    if (!place.ok) return place;
    const found: KeptFolder[] = [];
    for (const name of await readdir(place.value ?? '').catch(() => [])) {
      if (name.startsWith('.')) continue;
      const said = await runTool('du', ['-s', '-x', '--block-size=1', '--', join(place.value ?? '', name)]);
      found.push({ name, bytes: said.ok ? Number.parseInt(said.value, 10) : 0 });
    }
    return ok(found);
  }

  /** Its name is free at once, whatever is in it; what a crash left of an earlier removal goes too. */
  async remove(lease: string, digest: string): Promise<Result<void>> {
    const place = await this.#place(lease);
    if (!place.ok || place.value === undefined) return place.ok ? ok(undefined) : place;
    const folder = place.value;
    try {
      for (const name of await readdir(folder).catch(() => []))
        if (folderDigest(lease, name) === digest)
          await rename(join(folder, name), join(folder, `.gone-${randomBytes(6).toString('hex')}`));
      for (const left of await readdir(folder).catch(() => []))
        if (left.startsWith('.gone-')) await rm(join(folder, left), { recursive: true, force: true });
      return ok(undefined);
    } catch (error) {
      return refuse('cannot-write', messageOf(error));
    }
  }

  async #place(lease: string): Promise<Result<string | undefined>> {
    if (!(await this.#hasFolder(lease))) return ok(undefined);
    const folder = await this.#folderOf(lease);
    return folder.ok ? ok(placeOf(folder.value)) : folder;
  }
}
