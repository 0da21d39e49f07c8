import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openBox, sealBox } from '../../crypto/box.js';
import { derive } from '../../crypto/derive.js';
import { exportPrivate, importPrivate, makePair, type Pair } from '../../crypto/rsa.js';
import { Secret } from '../../crypto/secret.js';
import { signerOf, type Signer } from '../../crypto/signer.js';
import { messageOf } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { Rooted, RootSecrets, RootStore } from '../ports/root-store.js';
import { writeWhole } from './write-whole.js';

const rootBytes = 32;
const identityContext = 'identity';

function identityKey(root: Secret): Secret {
  return derive(root, new Uint8Array(), 'bmonitor identity v1');
}

/** N as it rests beside the root. */
export function sealIdentity(root: Secret, pair: Pair): Uint8Array {
  return exportPrivate(pair).use((bytes) => sealBox(identityKey(root), identityContext, bytes));
}

/**
 * The root and G in a file, and N in another, sealed under the root, for trying things out: whoever copies the disk has them, and an older copy brings the older state
 * back. `status` and every start say so.
 */
export class FileRootStore implements RootStore {
  readonly kind = 'file';
  readonly #path: string;
  readonly #identityPath: string;
  #root: Secret | undefined;

  constructor(folder: string) {
    this.#path = join(folder, 'root.secret');
    this.#identityPath = join(folder, 'identity.sealed');
  }

  async exists(): Promise<boolean> {
    const read = await this.#read();
    return !read.ok || read.value !== undefined;
  }

  async create(identityBits: number): Promise<Result<Rooted>> {
    const secrets = { root: Secret.take(randomBytes(rootBytes)), g: Secret.take(randomBytes(rootBytes)) };
    this.#root = secrets.root;
    const identity = await this.#makeIdentity(secrets.root, identityBits);
    if (!identity.ok) return identity;
    const written = await this.#write(secrets);
    return written.ok ? ok({ ...secrets, identity: identity.value }) : written;
  }

  async load(): Promise<Result<Rooted>> {
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
    const identity = await this.#readIdentity(secrets.root);
    return identity.ok ? ok({ ...secrets, identity: identity.value }) : identity;
  }

  async replaceG(next: Secret): Promise<Result<void>> {
    if (!this.#root) throw new Error('G is replaced after the root was loaded');
    return this.#write({ root: this.#root, g: next });
  }

  /** Nothing is measured, and whoever reads the file has what is in it. */
  allow(): Promise<Result<void>> {
    return Promise.resolve(ok(undefined));
  }

  async #makeIdentity(root: Secret, bits: number): Promise<Result<Signer>> {
    const pair = await makePair(bits);
    try {
      await writeWhole(this.#identityPath, sealIdentity(root, pair));
      return ok(signerOf(pair));
    } catch (error) {
      return refuse('store-damaged', `cannot write ${this.#identityPath}: ${messageOf(error)}`);
    }
  }

  async #readIdentity(root: Secret): Promise<Result<Signer>> {
    try {
      const opened = openBox(identityKey(root), identityContext, await readFile(this.#identityPath));
      if (opened) return ok(signerOf(importPrivate(Secret.take(opened))));
      return refuse('store-damaged', `${this.#identityPath} is of another node`);
    } catch (error) {
      return refuse('store-damaged', `cannot read ${this.#identityPath}: ${messageOf(error)}`);
    }
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
