import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Secret } from '../../crypto/secret.js';
import { messageOf } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { RootSecrets, RootStore } from '../ports/root-store.js';
import { writeWhole } from './write-whole.js';

const rootBytes = 32;

/**
 * The root and G in a file, for trying things out: whoever copies the disk has them, and an older copy brings the older state
 * back. `status` and every start say so.
 */
export class FileRootStore implements RootStore {
  readonly kind = 'file';
  readonly #path: string;
  #root: Secret | undefined;

  constructor(folder: string) {
    this.#path = join(folder, 'root.secret');
  }

  async exists(): Promise<boolean> {
    const read = await this.#read();
    return !read.ok || read.value !== undefined;
  }

  async create(): Promise<Result<RootSecrets>> {
    const secrets = { root: Secret.take(randomBytes(rootBytes)), g: Secret.take(randomBytes(rootBytes)) };
    this.#root = secrets.root;
    const written = await this.#write(secrets);
    return written.ok ? ok(secrets) : written;
  }

  async load(): Promise<Result<RootSecrets>> {
    const read = await this.#read();
    if (!read.ok) return read;
    const bytes = read.value;
    if (bytes?.length !== 2 * rootBytes)
      return refuse('store-damaged', `${this.#path} is missing or has another length`);
    const secrets = {
      root: Secret.take(Uint8Array.from(bytes.subarray(0, rootBytes))),
      g: Secret.take(Uint8Array.from(bytes.subarray(rootBytes))),
    };
    bytes.fill(0);
    this.#root = secrets.root;
    return ok(secrets);
  }

  async replaceG(next: Secret): Promise<Result<void>> {
    if (!this.#root) throw new Error('G is replaced after the root was loaded');
    return this.#write({ root: this.#root, g: next });
  }

  /** Undefined: there is none. What is there and cannot be read must not pass for a node that was never made. */
  async #read(): Promise<Result<Buffer | undefined>> {
    try {
      return ok(await readFile(this.#path));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ok(undefined);
      return refuse('store-damaged', `cannot read ${this.#path}: ${messageOf(error)}`);
    }
  }

  async #write({ root, g }: RootSecrets): Promise<Result<void>> {
    const bytes = root.use((r) => g.use((gg) => Buffer.concat([r, gg])));
    try {
      await writeWhole(this.#path, bytes);
      return ok(undefined);
    } catch (error) {
      return refuse('store-damaged', `cannot write ${this.#path}: ${messageOf(error)}`);
    } finally {
      bytes.fill(0);
    }
  }
}
