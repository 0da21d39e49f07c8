import { existsSync, statfsSync } from 'node:fs';
import { chmod, chown, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Secret } from '../../../crypto/secret.js';
import { passable } from './instances.js';
import { runTool } from './tools.js';

const ramfs = 0x8584_58f6;

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Secrets of engines that run, as files that they find in /run/secrets: in memory that is never swapped (ramfs), a folder for each engine. Nothing is
 * there before the first engine with a secret starts.
 */
export class SecretFiles {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  folderOf(instance: string): string {
    return join(this.#folder, instance);
  }

  /** Makes what an engine finds match what it may know; answers the names that changed. Each file is whole at any moment. */
  async give(
    instance: string,
    owner: Owner,
    secrets: ReadonlyMap<string, Secret>,
  ): Promise<readonly string[]> {
    await this.#open();
    const folder = this.folderOf(instance);
    await passable(folder);
    await chmod(folder, 0o755);
    const changed: string[] = [];
    for (const name of await readdir(folder)) {
      if (secrets.has(name)) continue;
      await rm(join(folder, name), { force: true });
      // A name that begins with a dot is one of ours, from a moment before a crash.
      if (!name.startsWith('.')) changed.push(name);
    }
    for (const [name, secret] of secrets) {
      const before = await readFile(join(folder, name)).catch(() => undefined);
      if (before !== undefined && secret.use((bytes) => before.equals(bytes))) continue;
      const file = join(folder, `.${name}`);
      await secret.use((bytes) => writeFile(file, bytes, { mode: 0o600 }));
      await chmod(file, 0o400);
      await chown(file, owner.uid, owner.gid);
      await rename(file, join(folder, name));
      changed.push(name);
    }
    return changed;
  }

  /** Undefined: this engine was not given one of that name. */
  async read(instance: string, name: string): Promise<Buffer | undefined> {
    return readFile(join(this.folderOf(instance), name)).catch(() => undefined);
  }

  /** What a start that was cut off had left. */
  async keepOnly(instances: ReadonlySet<string>): Promise<void> {
    const all = existsSync(this.#folder) ? await readdir(this.#folder) : [];
    for (const instance of all) if (!instances.has(instance)) await this.forget(instance);
  }

  async forget(instance: string): Promise<void> {
    if (existsSync(this.folderOf(instance)))
      await rm(this.folderOf(instance), { recursive: true, force: true });
  }

  async close(): Promise<void> {
    if (existsSync(this.#folder)) await runTool('umount', [this.#folder]);
  }

  async #open(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    if (statfsSync(this.#folder).type === ramfs) return;
    const options = 'mode=0711,nosuid,nodev,noexec';
    const mounted = await runTool('mount', ['-t', 'ramfs', '-o', options, 'bmonitor-secrets', this.#folder]);
    if (!mounted.ok) throw new Error(mounted.refusal.detail ?? 'no memory for secrets');
  }
}
