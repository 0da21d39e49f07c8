import { readdirSync, watch, type FSWatcher } from 'node:fs';
import { join, relative } from 'node:path';
import { limits } from '../../protocol/limits.js';

/** Folders that change without anybody writing code. */
const left: ReadonlySet<string> = new Set(['.git', 'node_modules', '__pycache__', '.venv', '.cache']);
/** Files that editors put beside the one that is edited. */
const passing = /(^\.#|~$|\.sw[a-z]$|^4913$|\.tmp$)/u;

/**
 * Tells once that something changed, a moment after the first of several saves; again only when it was told that the last change is dealt with.
 *
 * INVARIANT: a change that comes while the last one is dealt with is not lost: it is told as soon as that is done.
 */
export class FolderWatch {
  readonly #root: string;
  readonly #changed: (paths: readonly string[]) => Promise<void>;
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #paths = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #busy = false;

  constructor(root: string, changed: (paths: readonly string[]) => Promise<void>) {
    this.#root = root;
    this.#changed = changed;
    this.#add(root);
  }

  /** As if something had changed: from then on no save is missed, not even one during the first build. */
  begin(): Promise<void> {
    return this.#tell();
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /** Each folder by itself: what is left out is not even looked at, however large it is. */
  #add(folder: string): void {
    if (this.#watchers.has(folder)) return;
    try {
      const watcher = watch(folder, (_event, name) => this.#noticed(folder, name));
      watcher.on('error', () => this.#forget(folder));
      this.#watchers.set(folder, watcher);
      for (const entry of readdirSync(folder, { withFileTypes: true }))
        if (entry.isDirectory() && !left.has(entry.name)) this.#add(join(folder, entry.name));
    } catch {
      // It went away while it was looked at; its parent tells of that.
      this.#forget(folder);
    }
  }

  #forget(folder: string): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
  }

  #noticed(folder: string, name: string | null): void {
    if (name === null || left.has(name) || passing.test(name)) return;
    const path = join(folder, name);
    this.#addIfFolder(folder, name);
    this.#paths.add(relative(this.#root, path));
    this.#soon();
  }

  #addIfFolder(folder: string, name: string): void {
    try {
      const entry = readdirSync(folder, { withFileTypes: true }).find((one) => one.name === name);
      if (entry?.isDirectory()) this.#add(join(folder, name));
      else if (!entry) this.#forget(join(folder, name));
    } catch {
      this.#forget(folder);
    }
  }

  #soon(): void {
    if (this.#busy) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#tell();
    }, limits.dev_gather_ms);
  }

  async #tell(): Promise<void> {
    const paths = [...this.#paths].toSorted();
    this.#paths.clear();
    this.#busy = true;
    await this.#changed(paths);
    this.#busy = false;
    if (this.#paths.size > 0) this.#soon();
  }
}
