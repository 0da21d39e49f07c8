import type { Secret } from '../../../crypto/secret.js';
import { digestOf } from '../../../crypto/bytes.js';
import type {
  CopyWatch,
  DirectoryName,
  DirectoryStore,
  KeptDirectory,
} from '../../../bmonitor/ports/directory-store.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import { Power } from './power.js';

interface Kept {
  readonly name: DirectoryName;
  /** A digest of the key that it is under, as the kernel has a policy. */
  readonly under: string;
  readonly open: boolean;
  /** Its files, and which of them somebody has open. */
  readonly files: ReadonlyMap<string, string>;
  readonly held: boolean;
}

/** Encrypted directories in memory: on the disk of a machine that can lose its power. */
export class FakeDirectories {
  #kept: ReadonlyMap<string, Kept>;

  constructor(kept: ReadonlyMap<string, Kept> = new Map()) {
    this.#kept = kept;
  }

  copy(): FakeDirectories {
    return new FakeDirectories(this.#kept);
  }

  /** What stands on the disk, and whether the kernel has its key. */
  all(): readonly (KeptDirectory & { readonly under: string })[] {
    return [...this.#kept.values()].map(({ name, open, under }) => ({ ...name, open, under }));
  }

  /** Undefined when it is not open: then nobody reads it. */
  read(name: DirectoryName, file: string): string | undefined {
    const kept = this.#kept.get(placeOf(name));
    return kept?.open === true ? kept.files.get(file) : undefined;
  }

  write(name: DirectoryName, file: string, content: string): void {
    this.#change(name, (kept) => ({ ...kept, files: new Map(kept.files).set(file, content) }));
  }

  /** Somebody has a file open, or lets go of it. */
  hold(name: DirectoryName, held: boolean): void {
    this.#change(name, (kept) => ({ ...kept, held }));
  }

  open(power: Power = new Power()): Result<DirectoryStore> {
    power.onStop((by) => {
      // The kernel goes with the power, and its keys with it.
      if (by === 'power')
        for (const kept of this.#kept.values()) this.#put({ ...kept, open: false, held: false });
    });
    return ok(new OpenDirectories(this, power));
  }

  get(name: DirectoryName): Kept | undefined {
    return this.#kept.get(placeOf(name));
  }

  #change(name: DirectoryName, change: (kept: Kept) => Kept): void {
    const kept = this.get(name);
    if (kept?.open !== true) throw new Error('it is not open');
    this.#put(change(kept));
  }

  #put(kept: Kept): void {
    this.#kept = new Map(this.#kept).set(placeOf(kept.name), kept);
  }

  put(kept: Kept): void {
    this.#put(kept);
  }

  drop(name: DirectoryName): void {
    const next = new Map(this.#kept);
    next.delete(placeOf(name));
    this.#kept = next;
  }
}

class OpenDirectories implements DirectoryStore {
  readonly kind = 'fscrypt';

  constructor(
    private readonly medium: FakeDirectories,
    private readonly power: Power,
  ) {}

  list(): Promise<Result<readonly KeptDirectory[]>> {
    return Promise.resolve(ok(this.medium.all().map(({ lease, epoch, open }) => ({ lease, epoch, open }))));
  }

  async open({ lease, epoch }: DirectoryName, key: Secret): Promise<Result<string>> {
    const name = { lease, epoch };
    const under = key.use((bytes) => digestOf(Buffer.from(bytes).toString('hex')));
    await this.power.point('before opening a directory');
    const there = this.medium.get(name);
    if (there && there.under !== under) return refuse('store-damaged', 'it is under another key');
    if (!there) {
      this.medium.put({ name, under, open: false, files: new Map(), held: false });
      await this.power.point('after making a directory');
    }
    const kept = this.medium.get(name);
    if (kept) this.medium.put({ ...kept, open: true });
    await this.power.point('after opening a directory');
    return ok(`/fake/${placeOf(name)}`);
  }

  isThere(directory: string): Promise<boolean> {
    return Promise.resolve(
      this.medium.all().some((kept) => kept.open && directory === `/fake/${placeOf(kept)}`),
    );
  }

  async lock(name: DirectoryName): Promise<Result<void>> {
    await this.power.point('before closing a directory');
    const kept = this.medium.get(name);
    if (kept?.open !== true) return ok(undefined);
    if (kept.held) return refuse('directory-busy');
    this.medium.put({ ...kept, open: false });
    await this.power.point('after closing a directory');
    return ok(undefined);
  }

  async destroy(name: DirectoryName): Promise<Result<void>> {
    const locked = await this.lock(name);
    if (!locked.ok) return locked;
    this.medium.drop(name);
    await this.power.point('after destroying a directory');
    return ok(undefined);
  }

  async copy(from: DirectoryName, to: DirectoryName, watch?: CopyWatch): Promise<Result<void>> {
    await this.power.point('before copying a directory');
    if (watch?.signal.aborted) return refuse('data-tool-failed', 'broken off');
    const [source, target] = [this.medium.get(from), this.medium.get(to)];
    if (source?.open !== true || target?.open !== true) return refuse('data-tool-failed', 'one is not open');
    const half = [...source.files].slice(0, Math.ceil(source.files.size / 2));
    this.medium.put({ ...target, files: new Map(half) });
    watch?.progress(half.length, source.files.size);
    await this.power.point('within copying a directory');
    if (watch?.signal.aborted) return refuse('data-tool-failed', 'broken off');
    this.medium.put({ ...target, files: source.files });
    await this.power.point('after copying a directory');
    return ok(undefined);
  }
}

function placeOf({ lease, epoch }: DirectoryName): string {
  return `${lease}.${epoch}`;
}
