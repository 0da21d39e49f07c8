import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { limits } from '../../../../protocol/limits.js';
import { messageOf } from '../../../../protocol/log.js';
import { ok, refuse, type Result } from '../../../../protocol/result.js';
import type { ImageStore, StoredImage } from '../../../ports/engines.js';
import { runTool } from '../tools.js';
import { treeLines, unpackImage, type ImageSource } from './import.js';
import type { ImageConfig } from './oci.js';

interface ImageFile extends StoredImage {
  readonly v: 1;
  readonly config: ImageConfig;
  /** SHA-256 of the list of files. */
  readonly list: string;
}

export interface UsableImage {
  readonly rootfs: string;
  readonly config: ImageConfig;
}

/**
 * Images of each lease, unpacked, by digest: `images/<digest>/rootfs`, `image.json` and the `files` that must be there, each with its own digest.
 *
 * Before every start it is looked whether anything of the image changed: the kernel keeps a time of change that nobody sets. If so, and once after
 * each start of the machine, since a disk can be changed while the machine is off, every byte is compared (decision 0024).
 */
export class FolderImages implements ImageStore {
  readonly #folderOf: (lease: string) => Promise<Result<string>>;
  readonly #bootId: string;
  readonly #hasFolder: (lease: string) => Promise<boolean>;

  constructor(
    folderOf: (lease: string) => Promise<Result<string>>,
    bootId: string,
    hasFolder: (lease: string) => Promise<boolean>,
  ) {
    this.#folderOf = folderOf;
    this.#bootId = bootId;
    this.#hasFolder = hasFolder;
  }

  async list(lease: string): Promise<Result<readonly StoredImage[]>> {
    if (!(await this.#hasFolder(lease))) return ok([]);
    const folder = await this.#images(lease);
    if (!folder.ok) return folder;
    const found: StoredImage[] = [];
    for (const name of await readdir(folder.value)) {
      const image = await imageAt(join(folder.value, name));
      if (image) {
        const { digest, bytes, files, stored_s } = image;
        found.push({ digest, bytes, files, stored_s });
      }
    }
    return ok(found);
  }

  async has(lease: string, digest: string): Promise<boolean> {
    const folder = await this.#images(lease);
    return folder.ok && (await imageAt(join(folder.value, hexOf(digest)))) !== undefined;
  }

  /** Whole or not at all: it is unpacked beside, and gets its name when it is whole and on the disk. */
  async take(lease: string, source: ImageSource, expected?: string): Promise<Result<StoredImage>> {
    const folder = await this.#images(lease);
    if (!folder.ok) return folder;
    if ((await readdir(folder.value)).length >= limits.images_per_lease_max)
      return refuse('too-large', 'as many images are stored as may be');
    const work = join(folder.value, `.new-${randomBytes(8).toString('hex')}`);
    await mkdir(work, { mode: 0o700 });
    try {
      const unpacked = await unpackImage(source, work);
      if (!unpacked.ok) return unpacked;
      const { digest, config, tree } = unpacked.value;
      if (expected !== undefined && expected !== digest)
        return refuse('image-refused', `it is ${digest}, not ${expected}`);
      const present = await this.#whole(lease, digest);
      if (present) return ok(present);
      const lines = [...treeLines(tree)];
      const facts: ImageFile = {
        v: 1,
        digest,
        bytes: tree.bytes,
        files: lines.length,
        stored_s: Math.floor(Date.now() / 1000),
        config,
        list: createHash('sha256').update(lines.join('')).digest('hex'),
      };
      await writeFile(join(work, 'files'), lines.join(''));
      await writeFile(join(work, 'image.json'), JSON.stringify(facts));
      await rm(join(work, 'layout'), { recursive: true, force: true });
      await runTool('sync', ['-f', work]);
      await this.#stamp(work);
      const place = join(folder.value, hexOf(digest));
      if (await imageAt(place)) await rename(place, `${work}-old`);
      await rename(work, place);
      await rm(`${work}-old`, { recursive: true, force: true });
      return ok({ digest, bytes: facts.bytes, files: facts.files, stored_s: facts.stored_s });
    } catch (error) {
      return refuse('cannot-write', messageOf(error));
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }

  /** Where it is and how it wants to be run. Nothing of it may run before `check` said that it is what it was. */
  async open(lease: string, digest: string): Promise<Result<UsableImage>> {
    const found = await this.#find(lease, digest);
    return found.ok
      ? ok({ rootfs: join(found.value.place, 'rootfs'), config: found.value.image.config })
      : found;
  }

  /** Is it what its digest says? */
  async check(lease: string, digest: string): Promise<Result<void>> {
    const found = await this.#find(lease, digest);
    if (!found.ok) return found;
    const { place, image } = found.value;
    const same = await this.#unchanged(place);
    if (!same) {
      const checked = await compare(place, image);
      if (!checked.ok) return checked;
      await this.#stamp(place);
    }
    const now_s = Date.now() / 1000;
    await utimes(join(place, 'image.json'), now_s, now_s);
    return ok(undefined);
  }

  /** What is stored already stays where it is: engines run from it. Only what is not what it was is replaced. */
  async #whole(lease: string, digest: string): Promise<StoredImage | undefined> {
    const found = await this.#find(lease, digest);
    if (!found.ok || !(await this.check(lease, digest)).ok) return undefined;
    const { bytes, files, stored_s } = found.value.image;
    return { digest, bytes, files, stored_s };
  }

  async #find(lease: string, digest: string): Promise<Result<{ place: string; image: ImageFile }>> {
    const folder = await this.#images(lease);
    if (!folder.ok) return folder;
    const place = join(folder.value, hexOf(digest));
    const image = await imageAt(place);
    return image?.digest === digest ? ok({ place, image }) : refuse('image-missing', digest);
  }

  async keepOnly(lease: string, digests: ReadonlySet<string>): Promise<void> {
    const folder = await this.#images(lease);
    if (!folder.ok) return;
    for (const name of await readdir(folder.value)) {
      if (digests.has(`sha256:${name}`)) continue;
      const place = join(folder.value, name);
      const used = await stat(join(place, 'image.json')).catch(() => stat(place).catch(() => undefined));
      if (used && Date.now() - used.mtimeMs > limits.image_unused_ms_max)
        await rm(place, { recursive: true, force: true });
    }
  }

  async #images(lease: string): Promise<Result<string>> {
    const folder = await this.#folderOf(lease);
    if (!folder.ok) return folder;
    const images = join(folder.value, 'images');
    await mkdir(images, { recursive: true, mode: 0o700 });
    return ok(images);
  }

  async #unchanged(place: string): Promise<boolean> {
    const before = await readFile(join(place, 'stamp'), 'utf8').catch(() => '');
    return before !== '' && before === (await this.#stampNow(place));
  }

  async #stamp(place: string): Promise<void> {
    await writeFile(join(place, 'stamp'), await this.#stampNow(place));
  }

  /** What the kernel says of every file, in one digest; of this start of the machine. */
  async #stampNow(place: string): Promise<string> {
    const said = await runTool('find', [
      join(place, 'rootfs'),
      '-printf',
      '%P\\0%i %y %m %U %G %s %T@ %C@\\0',
    ]);
    if (!said.ok) return '';
    return `${this.#bootId} ${createHash('sha256').update(said.value).digest('hex')}`;
  }
}

function hexOf(digest: string): string {
  return digest.replace(/^sha256:/u, '');
}

async function imageAt(place: string): Promise<ImageFile | undefined> {
  try {
    const image = JSON.parse(await readFile(join(place, 'image.json'), 'utf8')) as ImageFile;
    return image.v === 1 ? image : undefined;
  } catch {
    return undefined;
  }
}

/** Every byte against the list, and the list against its digest. */
async function compare(place: string, image: ImageFile): Promise<Result<void>> {
  const list = await readFile(join(place, 'files'), 'utf8');
  if (createHash('sha256').update(list).digest('hex') !== image.list)
    return refuse('image-damaged', 'the list of its files was altered');
  const lines = list.split('\n').filter((line) => line !== '');
  const said = await runTool('find', [join(place, 'rootfs'), '-printf', '%P\\0%y %m %U %G\\0%l\\0']);
  if (!said.ok) return refuse('image-damaged', 'its files cannot be listed');
  const parts = said.value.split('\0');
  const there = new Map<string, { readonly facts: string; readonly target: string }>();
  for (let at = 0; at + 2 < parts.length; at += 3)
    there.set(parts[at] ?? '', { facts: parts[at + 1] ?? '', target: parts[at + 2] ?? '' });
  if (there.size !== lines.length)
    return refuse('image-damaged', `${there.size} files and not ${lines.length}`);
  for (const line of lines) {
    const [path, kind, mode, uid, gid, content] = JSON.parse(line) as [
      string,
      'file' | 'directory' | 'symlink',
      number,
      number,
      number,
      string,
    ];
    const letter = { file: 'f', directory: 'd', symlink: 'l' }[kind];
    const found = there.get(path);
    if (
      found?.facts !== `${letter} ${mode.toString(8)} ${uid} ${gid}` ||
      (kind === 'symlink' && found.target !== content)
    )
      return refuse('image-damaged', path);
    if (kind === 'file' && (await digestOfFile(join(place, 'rootfs', path))) !== content)
      return refuse('image-damaged', path);
  }
  return ok(undefined);
}

async function digestOfFile(file: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    for await (const piece of createReadStream(file)) hash.update(piece as Buffer);
  } catch {
    return undefined;
  }
  return hash.digest('hex');
}
