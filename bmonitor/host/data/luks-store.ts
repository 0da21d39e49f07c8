import { mkdir, readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Secret } from '../../../crypto/secret.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import type { CopyWatch, DirectoryName, DirectoryStore, KeptDirectory } from '../../ports/directory-store.js';
import { copyFiles } from './copy.js';
import { isMounted, isThere, synced, type Image } from './image.js';
import { closeVolume, eraseVolume, isMapped, makeVolume, mountVolume, openVolume } from './luks.js';

/**
 * Directories in LUKS volumes, each in a file of the state directory, for kernels whose file systems encrypt no files but that have device-mapper. Whoever reads
 * the disk sees nothing but its size. A lease cannot take more room than was set aside for it.
 *
 *   <lease>.<epoch>.luks   the volume
 *   <lease>.<epoch>/       where it is mounted while it is open; `data` in it is the directory
 */
export class LuksStore implements DirectoryStore {
  readonly kind = 'luks';
  readonly #folder: string;
  readonly #bytes: number;
  /** The file that is just being made: whoever lists meanwhile leaves it alone. */
  #making: string | undefined;

  constructor(folder: string, bytes: number) {
    this.#folder = folder;
    this.#bytes = bytes;
  }

  async list(): Promise<Result<readonly KeptDirectory[]>> {
    const found: KeptDirectory[] = [];
    for (const file of await readdir(this.#folder).catch(() => [])) {
      const name = nameOf(file);
      if (name) found.push({ ...name, open: await isMapped(this.#image(name)) });
      else if (file.endsWith('.luks.new') && file !== this.#making) await this.#clearUnfinished(file);
    }
    return ok(found);
  }

  async open(name: DirectoryName, key: Secret): Promise<Result<string>> {
    const image = this.#image(name);
    if (!(await isThere(image.file))) {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      this.#making = `${basename(image.file)}.new`;
      const made = await makeVolume(image, this.#bytes, key).finally(() => (this.#making = undefined));
      if (!made.ok) return made;
    }
    const opened = await openVolume(image, key);
    if (!opened.ok) return opened;
    const mounted = await mountVolume(image);
    if (!mounted.ok) return mounted;
    const directory = join(image.mount, 'data');
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await synced(image.mount);
    return ok(directory);
  }

  isThere(directory: string): Promise<boolean> {
    return isThere(directory);
  }

  lock(name: DirectoryName): Promise<Result<void>> {
    return closeVolume(this.#image(name));
  }

  async destroy(name: DirectoryName): Promise<Result<void>> {
    const image = this.#image(name);
    // What wraps its key goes first, also when somebody still has a file open. A volume that is damaged there has nothing left to erase, and goes too.
    await eraseVolume(image);
    const locked = await this.lock(name);
    if (!locked.ok) return locked;
    await rm(image.file, { force: true });
    await synced(this.#folder).catch(() => {});
    return ok(undefined);
  }

  async copy(from: DirectoryName, to: DirectoryName, watch?: CopyWatch): Promise<Result<void>> {
    const [source, target] = [this.#image(from), this.#image(to)];
    if (!(await isMounted(source)) || !(await isMounted(target)))
      return refuse('data-tool-failed', 'one is not open');
    return copyFiles(join(source.mount, 'data'), join(target.mount, 'data'), watch);
  }

  /** What a crash left of the making of one. */
  async #clearUnfinished(file: string): Promise<void> {
    const path = join(this.#folder, file);
    const closed = await closeVolume({ file: path, mount: join(this.#folder, 'none') });
    if (closed.ok) await rm(path, { force: true });
  }

  #image({ lease, epoch }: DirectoryName): Image {
    const mount = join(this.#folder, `${lease}.${epoch}`);
    return { file: `${mount}.luks`, mount };
  }
}

function nameOf(file: string): DirectoryName | undefined {
  const [, lease, epoch] = /^([\w-]{1,64})\.(\d{1,15})\.luks$/.exec(file) ?? [];
  return lease === undefined ? undefined : { lease, epoch: Number(epoch) };
}
