import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Secret } from '../../../crypto/secret.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import type { CopyWatch, DirectoryName, DirectoryStore, KeptDirectory } from '../../ports/directory-store.js';
import { copyFiles } from './copy.js';
import { addKey, isPresent, policyOf, removeKey, setPolicy } from './fscrypt.js';
import {
  isLive,
  isMounted,
  isThere,
  makeImage,
  mountImage,
  synced,
  unmountImage,
  type Image,
} from './image.js';

/**
 * Directories under the kernel's file encryption, each in a file system of its own that rests in a file of the state directory: so it asks
 * nothing of the file system underneath, and a lease cannot take more room than was set aside for it.
 *
 *   <lease>.<epoch>.img    an ext4 file system
 *   <lease>.<epoch>/       where it is mounted while it is open; `data` in it is the directory
 */
export class ImageStore implements DirectoryStore {
  readonly kind = 'fscrypt';
  readonly #folder: string;
  readonly #bytes: number;
  /** One thing at a time: a look at what is mounted elsewhere mounts it too, and must not take away what is just being opened. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(folder: string, bytes: number) {
    this.#folder = folder;
    this.#bytes = bytes;
  }

  list(): Promise<Result<readonly KeptDirectory[]>> {
    return this.#inTurn(async () => this.#list());
  }

  open(name: DirectoryName, key: Secret): Promise<Result<string>> {
    return this.#inTurn(async () => this.#open(name, key));
  }

  lock(name: DirectoryName): Promise<Result<void>> {
    return this.#inTurn(async () => this.#lock(name));
  }

  destroy(name: DirectoryName): Promise<Result<void>> {
    return this.#inTurn(async () => this.#destroy(name));
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(act);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #list(): Promise<Result<readonly KeptDirectory[]>> {
    const names = await readdir(this.#folder).catch(() => []);
    const found: KeptDirectory[] = [];
    for (const file of names) {
      const name = nameOf(file);
      if (name) found.push({ ...name, open: await this.#isOpen(this.#image(name)) });
      // What a crash left of the making of one.
      else if (file.endsWith('.img.new')) await rm(join(this.#folder, file), { force: true });
    }
    return ok(found);
  }

  async #open(name: DirectoryName, key: Secret): Promise<Result<string>> {
    const image = this.#image(name);
    if (!(await isThere(image.file))) {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      const made = await makeImage(image, this.#bytes);
      if (!made.ok) return made;
    }
    const mounted = await mountImage(image);
    if (!mounted.ok) return mounted;
    const added = await addKey(image.mount, key);
    if (!added.ok) return added;
    const ready = await this.#underPolicy(image, added.value);
    if (!ready.ok) {
      await removeKey(image.mount, added.value);
      return ready;
    }
    return ok(directoryIn(image));
  }

  isThere(directory: string): Promise<boolean> {
    return isThere(directory);
  }

  async #lock(name: DirectoryName): Promise<Result<void>> {
    const image = this.#image(name);
    if (await isLive(image)) {
      // Mounted here or elsewhere, it is one file system with one set of keys.
      const mounted = await mountImage(image);
      if (!mounted.ok) return mounted;
      const directory = directoryIn(image);
      const policy = (await isThere(directory)) ? await policyOf(directory) : ok(undefined);
      if (!policy.ok) return policy;
      const removed = policy.value === undefined ? ok(undefined) : await removeKey(image.mount, policy.value);
      if (!removed.ok) return removed;
    }
    return unmountImage(image);
  }

  async #destroy(name: DirectoryName): Promise<Result<void>> {
    const locked = await this.#lock(name);
    if (!locked.ok) return locked;
    await rm(this.#image(name).file, { force: true });
    await synced(this.#folder).catch(() => {});
    return ok(undefined);
  }

  copy(from: DirectoryName, to: DirectoryName, watch?: CopyWatch): Promise<Result<void>> {
    return copyFiles(directoryIn(this.#image(from)), directoryIn(this.#image(to)), watch);
  }

  /** The directory is only ever made empty and under a policy; one that a crash left without is empty still. */
  async #underPolicy(image: Image, id: string): Promise<Result<void>> {
    const directory = directoryIn(image);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const policy = await policyOf(directory);
    if (!policy.ok) return policy;
    if (policy.value === id) return ok(undefined);
    if (policy.value !== undefined) return refuse('store-damaged', `${image.file} is under another key`);
    if ((await readdir(directory)).length > 0)
      return refuse('store-damaged', `${image.file} holds files that are not encrypted`);
    const set = await setPolicy(directory, id);
    if (!set.ok) return set;
    await synced(directory);
    await synced(image.mount);
    return ok(undefined);
  }

  async #isOpen(image: Image): Promise<boolean> {
    if (await isMounted(image)) return hasKey(image);
    if (!(await isLive(image))) return false;
    // Mounted elsewhere only: a look at it tells whether whoever has it can read it.
    const mounted = await mountImage(image);
    const open = !mounted.ok || (await hasKey(image));
    await unmountImage(image);
    return open;
  }

  #image({ lease, epoch }: DirectoryName): Image {
    const mount = join(this.#folder, `${lease}.${epoch}`);
    return { file: `${mount}.img`, mount };
  }
}

async function hasKey(image: Image): Promise<boolean> {
  const directory = directoryIn(image);
  if (!(await isThere(directory))) return false;
  const policy = await policyOf(directory);
  return policy.ok && policy.value !== undefined && (await isPresent(image.mount, policy.value));
}

function directoryIn({ mount }: Image): string {
  return join(mount, 'data');
}

function nameOf(file: string): DirectoryName | undefined {
  const [, lease, epoch] = /^([\w-]{1,64})\.(\d{1,15})\.img$/.exec(file) ?? [];
  return lease === undefined ? undefined : { lease, epoch: Number(epoch) };
}
