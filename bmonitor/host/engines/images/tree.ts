import { createHash } from 'node:crypto';
import { open, link, lchown, lutimes, mkdir, rm, symlink, chmod, chown, utimes } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { limits } from '../../../../protocol/limits.js';
import { ok, refuse, type Result } from '../../../../protocol/result.js';
import type { TarBody, TarEntry } from './tar.js';

/** What stands at one place of an image. */
export interface TreeNode {
  readonly kind: 'file' | 'directory' | 'symlink';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of a file. */
  readonly size?: number;
  readonly sha256?: string;
  /** Of a symlink. */
  readonly target?: string;
}

/** Ids of an engine's own range. */
const ids_max = 65_535;

/**
 * Unpacks layers into a folder that nobody else writes to.
 *
 * INVARIANTS:
 * - What stands in the folder is known here, because all of it was put there by this: the kernel never resolves a link that an archive made. A
 *   path is followed here, within the folder, and only then handed to the kernel, when every step of it is a real folder.
 * - Bytes and entries are bounded over all layers.
 */
export class Tree {
  readonly #folder: string;
  readonly #nodes = new Map<string, TreeNode>([['', { kind: 'directory', mode: 0o755, uid: 0, gid: 0 }]]);
  readonly #times = new Map<string, number>();
  #bytes = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Sorted by path: what the digest of an image without one of its own is made of, and what a check compares. */
  nodes(): readonly (readonly [path: string, node: TreeNode])[] {
    return [...this.#nodes].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }

  /** One entry of a layer; `lower` is what earlier layers left, which whiteouts take away. */
  async put(entry: TarEntry, body: TarBody, lower: ReadonlySet<string>): Promise<Result<void>> {
    const asked = entry.path.split('/').filter((part) => part !== '' && part !== '.');
    if (asked.includes('..') || entry.path.length > limits.image_path_chars_max || entry.path.includes('\0'))
      return bad(entry.path, 'its path leads out of the image');
    const name = asked.pop();
    if (name === undefined) return this.#root(entry);
    if (this.#nodes.size >= limits.image_entries_max)
      return refuse('too-large', 'the image has too many files');
    const parent = await this.#folderAt(asked, entry.path);
    if (!parent.ok) return parent;
    if (name.startsWith('.wh.'))
      return entry.size > 0
        ? bad(entry.path, 'what takes a file away has no bytes')
        : this.#whiteOut(parent.value, name, lower);
    if (entry.uid > ids_max || entry.gid > ids_max) return bad(entry.path, `its owner is beyond ${ids_max}`);
    return this.#make(posix.join(parent.value, name), entry, body);
  }

  /** After the last entry: writing into a folder had changed its time. */
  async finish(): Promise<void> {
    for (const [path, mtime_s] of this.#times) await utimes(this.#at(path), mtime_s, mtime_s);
  }

  paths(): ReadonlySet<string> {
    return new Set(this.#nodes.keys());
  }

  #at(path: string): string {
    return join(this.#folder, path);
  }

  async #root({ kind, mode, uid, gid }: TarEntry): Promise<Result<void>> {
    if (kind !== 'directory' || uid > ids_max || gid > ids_max) return bad('/', 'it is no folder');
    this.#nodes.set('', { kind, mode, uid, gid });
    await chown(this.#folder, uid, gid);
    await chmod(this.#folder, mode);
    return ok(undefined);
  }

  /** The real folder that a path leads to, with links followed inside the image; folders that are missing are made. */
  async #folderAt(parts: readonly string[], path: string): Promise<Result<string>> {
    const waiting = [...parts];
    let here = '';
    for (let links = 0; waiting.length > 0;) {
      const part = waiting.shift() ?? '';
      if (part === '' || part === '.') continue;
      if (part === '..') {
        here = here.includes('/') ? posix.dirname(here) : '';
        continue;
      }
      const next = here === '' ? part : `${here}/${part}`;
      const node = this.#nodes.get(next);
      if (node?.kind === 'symlink') {
        links += 1;
        if (links > 40) return bad(path, 'its links go round in a circle');
        const target = node.target ?? '';
        if (target.startsWith('/')) here = '';
        waiting.unshift(...target.split('/'));
        continue;
      }
      if (node?.kind === 'file') return bad(path, 'a file stands where it needs a folder');
      if (!node) {
        await mkdir(this.#at(next));
        // Whatever mask BMonitor was started with.
        await chmod(this.#at(next), 0o755);
        this.#nodes.set(next, { kind: 'directory', mode: 0o755, uid: 0, gid: 0 });
      }
      here = next;
    }
    return ok(here);
  }

  async #whiteOut(folder: string, name: string, lower: ReadonlySet<string>): Promise<Result<void>> {
    const opaque = name === '.wh..wh..opq';
    const prefix = folder === '' ? '' : `${folder}/`;
    if (!opaque && (name === '.wh.' || name.startsWith('.wh..wh.'))) return ok(undefined);
    const gone = opaque
      ? [...lower].filter((path) => path !== '' && path.startsWith(prefix))
      : [`${prefix}${name.slice(4)}`];
    for (const path of gone) await this.#remove(path);
    return ok(undefined);
  }

  async #remove(path: string): Promise<void> {
    if (!this.#nodes.has(path)) return;
    await rm(this.#at(path), { recursive: true, force: true });
    for (const known of this.#nodes.keys())
      if (known === path || known.startsWith(`${path}/`)) {
        this.#bytes -= this.#nodes.get(known)?.size ?? 0;
        this.#nodes.delete(known);
        this.#times.delete(known);
      }
  }

  async #make(path: string, entry: TarEntry, body: TarBody): Promise<Result<void>> {
    const { kind, mode, uid, gid, target, mtime_s } = entry;
    const before = this.#nodes.get(path);
    if (kind === 'directory' && before?.kind === 'directory') {
      this.#nodes.set(path, { kind, mode, uid, gid });
      await chown(this.#at(path), uid, gid);
      await chmod(this.#at(path), mode);
      this.#times.set(path, mtime_s);
      return ok(undefined);
    }
    if (before) await this.#remove(path);
    switch (kind) {
      case 'directory':
        await mkdir(this.#at(path), { mode: 0o700 });
        await chown(this.#at(path), uid, gid);
        await chmod(this.#at(path), mode);
        this.#nodes.set(path, { kind, mode, uid, gid });
        this.#times.set(path, mtime_s);
        return ok(undefined);
      case 'symlink':
        if (target === '' || target.length > limits.image_path_chars_max || target.includes('\0'))
          return bad(entry.path, 'it leads nowhere');
        await symlink(target, this.#at(path));
        await lchown(this.#at(path), uid, gid);
        await lutimes(this.#at(path), mtime_s, mtime_s);
        this.#nodes.set(path, { kind, mode: 0o777, uid, gid, target });
        return ok(undefined);
      case 'hardlink':
        return this.#hardLink(path, entry);
      case 'file':
        return this.#file(path, entry, body);
      case 'other':
        return bad(entry.path, 'devices, pipes and sockets are not unpacked');
    }
  }

  async #hardLink(path: string, entry: TarEntry): Promise<Result<void>> {
    const parts = entry.target.split('/').filter((part) => part !== '' && part !== '.');
    const name = parts.pop();
    if (name === undefined || parts.includes('..')) return bad(entry.path, 'its link leads out of the image');
    const parent = await this.#folderAt(parts, entry.path);
    if (!parent.ok) return parent;
    const target = posix.join(parent.value, name);
    const node = this.#nodes.get(target);
    if (node?.kind !== 'file') return bad(entry.path, 'it is linked to what is no file of the image');
    await link(this.#at(target), this.#at(path));
    // Its bytes count again: whoever copies the image has them twice.
    this.#bytes += node.size ?? 0;
    this.#nodes.set(path, node);
    return this.#within();
  }

  async #file(path: string, entry: TarEntry, body: TarBody): Promise<Result<void>> {
    const { mode, uid, gid, size, mtime_s } = entry;
    this.#bytes += size;
    const within = this.#within();
    if (!within.ok) return within;
    const hash = createHash('sha256');
    const file = await open(this.#at(path), 'wx', 0o600);
    try {
      for await (const piece of body()) {
        hash.update(piece);
        await file.write(piece);
      }
      await file.chown(uid, gid);
      await file.chmod(mode);
      await file.utimes(mtime_s, mtime_s);
    } finally {
      await file.close();
    }
    this.#nodes.set(path, { kind: 'file', mode, uid, gid, size, sha256: hash.digest('hex') });
    return ok(undefined);
  }

  #within(): Result<void> {
    return this.#bytes > limits.image_bytes_max ? refuse('too-large', 'the image') : ok(undefined);
  }
}

function bad(path: string, why: string): Result<never> {
  return refuse('image-refused', `${path}: ${why}`);
}
