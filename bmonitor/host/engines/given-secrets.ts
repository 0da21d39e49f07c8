import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Secret } from '../../../crypto/secret.js';
import { messageOf } from '../../../protocol/log.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import type { StartOrder } from '../../ports/engines.js';
import type { Handle, Instances } from './instances.js';
import type { Owner, SecretFiles } from './secret-files.js';
import { ownerIn } from './spec.js';

/** What a level keeps under a name for its engines. Undefined: nothing, or it is locked. */
export type SecretOf = (lease: string, name: string) => Promise<Secret | undefined>;

/** Gives engines the secrets that their settings name. */
export class GivenSecrets {
  readonly #files: SecretFiles;
  readonly #instances: Instances;
  readonly #secretOf: SecretOf;

  constructor(files: SecretFiles, instances: Instances, secretOf: SecretOf) {
    this.#files = files;
    this.#instances = instances;
    this.#secretOf = secretOf;
  }

  folderOf(instance: string): string {
    return this.#files.folderOf(instance);
  }

  /** Before a start, when it is written down as whom it runs: all that the settings name, or it is not started. */
  async giveAll(
    instance: string,
    { lease, slot, settings }: Pick<StartOrder, 'lease' | 'slot' | 'settings'>,
  ): Promise<Result<readonly string[]>> {
    const names = settings.secrets ?? [];
    if (names.length === 0) return ok([]);
    return this.#give(instance, { lease, names, owner: await this.#ownerOf(instance, slot), all: true });
  }

  /** While it runs: what is still there, as it is now. Answers the names that changed. */
  async renew(handle: Handle, names: readonly string[]): Promise<Result<readonly string[]>> {
    if (names.length === 0) return ok([]);
    const { instance, lease, slot } = handle;
    try {
      const owner = await this.#ownerOf(instance, slot);
      return await this.#give(instance, { lease, names, owner, all: false });
    } catch (error) {
      return refuse('engine-failed', messageOf(error));
    }
  }

  /** Only what this engine was given: its folder has nothing else, and a name has no slashes. */
  async told(handle: Handle | undefined, name: string): Promise<Result<object>> {
    const bytes = handle && (await this.#files.read(handle.instance, name));
    if (!bytes) return refuse('secret-unknown', name);
    const text = bytes.toString('utf8');
    return ok(Buffer.from(text, 'utf8').equals(bytes) ? { text } : { base64: bytes.toString('base64') });
  }

  keepOnly(instances: ReadonlySet<string>): Promise<void> {
    return this.#files.keepOnly(instances);
  }

  forget(instance: string): Promise<void> {
    return this.#files.forget(instance);
  }

  close(): Promise<void> {
    return this.#files.close();
  }

  async #ownerOf(instance: string, slot: number): Promise<Owner> {
    const file = join(this.#instances.folderOf(instance), 'config.json');
    return ownerIn(slot, JSON.parse(await readFile(file, 'utf8')) as Readonly<Record<string, unknown>>);
  }

  async #give(
    instance: string,
    {
      lease,
      names,
      owner,
      all,
    }: {
      readonly lease: string;
      readonly names: readonly string[];
      readonly owner: Owner;
      readonly all: boolean;
    },
  ): Promise<Result<readonly string[]>> {
    if (names.length === 0) return ok([]);
    const secrets = new Map<string, Secret>();
    try {
      for (const name of names) {
        const secret = await this.#secretOf(lease, name);
        if (secret) secrets.set(name, secret);
        else if (all) return refuse('secret-missing', name);
      }
      return ok(await this.#files.give(instance, owner, secrets));
    } finally {
      for (const secret of secrets.values()) secret.wipe();
    }
  }
}
