import { derive } from '../../crypto/derive.js';
import { utf8 } from '../../crypto/jose.js';
import type { Secret } from '../../crypto/secret.js';
import { ok, refuse, type Refusal, type Result } from '../../protocol/result.js';
import type { KeyRing } from '../keys/ring.js';
import type { DirectoryName, DirectoryStore } from '../ports/directory-store.js';
import { reencryptionOf, type NodeState } from './state.js';

/** What the directories stand on: the state, and the keys that are open just now. */
export interface Standing {
  readonly state: NodeState;
  readonly ring: KeyRing;
}

export interface DirectoryParts {
  /** The refusal: this machine has no place for directories, and why. */
  readonly store: Result<DirectoryStore>;
  /** As it is at that moment. */
  readonly now: () => Standing;
}

/**
 * The directories of the leases, in which engines and whatever else of a level is stored in files rest.
 *
 * A directory is made when it is first needed, and is open while its level is active and its data key is open. `settle` makes it so, and can be
 * called at any time: it closes what went dark, and destroys what belongs to no lease and to no data key any more.
 *
 * INVARIANTS:
 * - One thing at a time, in the order in which it was asked for.
 * - Nobody is told of a directory that is not under the data key of its lease.
 * - Before a directory is closed or copied, whoever uses it is told to stop, and has; while it is copied nobody is told of it.
 */
export class Directories {
  readonly #parts: DirectoryParts;
  #queue: Promise<unknown> = Promise.resolve();
  /** Copies under the next data key, by their lease, until they count or are not wanted any more. */
  readonly #copying = new Map<string, Copying>();
  /** Where those are that were opened and not closed since: to ask the kernel about each takes four programs. */
  readonly #open = new Map<string, string>();
  /** Whoever has files open in a directory lets go of them here: the engines of the lease are stopped. */
  beforeClosing: (lease: string) => Promise<void> = () => Promise.resolve();

  constructor(parts: DirectoryParts) {
    this.#parts = parts;
  }

  /** How directories are encrypted here, or why there are none. */
  get kind(): string | Refusal {
    const { store } = this.#parts;
    return store.ok ? store.value.kind : store.refusal;
  }

  /** Was a directory made for the lease? Who only looks must not make one. */
  async has(lease: string): Promise<boolean> {
    const { store } = this.#parts;
    const listed = store.ok ? await store.value.list() : store;
    return listed.ok && listed.value.some((kept) => kept.lease === lease);
  }

  /** Where the lease's directory is: open, and made if there was none. */
  need(lease: string): Promise<Result<string>> {
    return this.#inTurn(async () => {
      const { store } = this.#parts;
      if (!store.ok) return store;
      const { state, ring } = this.#parts.now();
      const level = state.levels.find((one) => one.lease === lease);
      const key = ring.data.get(lease);
      if (!level || level.status === 'dark') return refuse('lease-unknown', 'it is dark, or there is none');
      if (!key) return refuse('shares-outstanding');
      if (this.#copying.has(lease)) return refuse('data-moving');
      const known = this.#open.get(`${lease}/${level.epoch}`);
      if (known !== undefined && (await store.value.isThere(known))) return ok(known);
      const opened = await openUnder(store.value, level, key);
      if (opened.ok) this.#open.set(`${lease}/${level.epoch}`, opened.value);
      return opened;
    });
  }

  /**
   * A copy of a lease's directory under another data key, in the place that is kept for it, made ahead of the change that makes it count. Nothing may be
   * written meanwhile, nor until that change: whoever uses the directory was told to stop. Answers whether there was anything to copy.
   */
  async copyAhead({ lease, epoch, data, watch }: CopyAhead): Promise<Result<'copied' | 'nothing'>> {
    const begun = await this.#inTurn(() => this.#beginCopy({ lease, epoch, data, watch }));
    if (!begun.ok || begun.value === 'nothing') return begun as Result<'nothing'>;
    // Not in a turn: whatever else there is to do with directories does not wait for it.
    const copied = await begun.value.finished;
    return copied.ok ? ok('copied') : copied;
  }

  async #beginCopy({ lease, epoch, data, watch }: CopyAhead): Promise<Result<Copying | 'nothing'>> {
    this.#open.clear();
    const { store } = this.#parts;
    const { state, ring } = this.#parts.now();
    const level = state.levels.find((one) => one.lease === lease);
    const key = ring.data.get(lease);
    if (!store.ok || !level || !key) return ok('nothing');
    const from = { lease, epoch: level.epoch };
    const listed = await store.value.list();
    if (!listed.ok) return listed;
    if (!listed.value.some((kept) => kept.lease === lease && kept.epoch === from.epoch)) return ok('nothing');
    await this.beforeClosing(lease);
    const to = { lease, epoch };
    const opened = await openBoth(store.value, { name: from, data: key }, { name: to, data });
    if (!opened.ok) return opened;
    const abort = new AbortController();
    const copying: Copying = {
      to,
      abort,
      finished: store.value.copy(from, to, { signal: abort.signal, progress: watch }),
    };
    this.#copying.set(lease, copying);
    return ok(copying);
  }

  /** A copy that is not wanted any more is broken off, before anything is done with what it reads and writes. */
  async #breakOff(): Promise<void> {
    const { state, ring } = this.#parts.now();
    for (const [lease, { to, abort, finished }] of this.#copying) {
      const wanted = reencryptionOf(state, lease)?.epoch === to.epoch;
      const level = state.levels.find((one) => one.lease === lease);
      if (wanted && level?.status === 'active' && ring.data.has(lease)) continue;
      abort.abort();
      await finished;
      this.#copying.delete(lease);
    }
  }

  /** Makes the directories match the state. */
  settle(): Promise<Result<void>> {
    return this.#inTurn(async () => {
      this.#open.clear();
      const { store } = this.#parts;
      if (!store.ok) return ok(undefined);
      const listed = await store.value.list();
      if (!listed.ok) return listed;
      await this.#breakOff();
      let failed: Result<void> = ok(undefined);
      for (const kept of listed.value) {
        const done = await this.#settleOne(store.value, kept, kept.open);
        // What cannot be done to one holds up no other; it is tried again.
        if (!done.ok) failed = done;
      }
      return failed;
    });
  }

  async #settleOne(store: DirectoryStore, name: DirectoryName, open: boolean): Promise<Result<void>> {
    const { state, ring } = this.#parts.now();
    const level = state.levels.find((one) => one.lease === name.lease && one.epoch === name.epoch);
    // It is being filled, and will count when it is whole.
    if (!level && this.#copying.get(name.lease)?.to.epoch === name.epoch) return ok(undefined);
    if (!level) {
      if (open) await this.beforeClosing(name.lease);
      return store.destroy(name);
    }
    if (level.status === 'dark') {
      if (!open) return ok(undefined);
      await this.beforeClosing(name.lease);
      return store.lock(name);
    }
    const key = ring.data.get(name.lease);
    // With a share outstanding, what the kernel still has open since before BMonitor was started again stays so: the engines go on.
    if (open || !key) return ok(undefined);
    const opened = await openUnder(store, name, key);
    return opened.ok ? ok(undefined) : opened;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work);
    this.#queue = turn.catch(() => undefined);
    return turn;
  }
}

interface Place {
  readonly name: DirectoryName;
  readonly data: Secret;
}

interface CopyAhead {
  readonly lease: string;
  /** The place that was kept for the next data key. */
  readonly epoch: number;
  readonly data: Secret;
  /** Told how far it came, in bytes. */
  readonly watch: (done: number, total: number) => void;
}

interface Copying {
  readonly to: DirectoryName;
  readonly abort: AbortController;
  readonly finished: Promise<Result<void>>;
}

/** What an earlier try left is not built upon. */
async function openBoth(store: DirectoryStore, old: Place, next: Place): Promise<Result<void>> {
  const cleared = await store.destroy(next.name);
  if (!cleared.ok) return cleared;
  for (const { name, data } of [old, next]) {
    const opened = await openUnder(store, name, data);
    if (!opened.ok) return opened;
  }
  return ok(undefined);
}

/** A data key never encrypts two things: the directory has a key of its own from it, which is in our memory no longer than it takes to hand it over. */
async function openUnder(
  store: DirectoryStore,
  { lease, epoch }: DirectoryName,
  data: Secret,
): Promise<Result<string>> {
  const key = derive(data, utf8(`${lease}/${epoch}`), 'bmonitor directory v1');
  try {
    return await store.open({ lease, epoch }, key);
  } finally {
    key.wipe();
  }
}
