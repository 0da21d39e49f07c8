import { openBox, sealBox } from '../../crypto/box.js';
import { utf8 } from '../../crypto/jose.js';
import { limits } from '../../protocol/limits.js';
import { refuse, ok, type Result } from '../../protocol/result.js';
import { instead, newKey, type KeyRing } from '../keys/ring.js';
import type { Signer } from '../../crypto/signer.js';
import type { Measured, QuoteMaker, Rooted, RootSecrets, RootStore } from '../ports/root-store.js';
import type { Store, StoreOp } from '../ports/store.js';
import type { Change } from './change.js';
import { KeptReplies } from './kept-replies.js';
import type { KeptReceipt } from './receipts.js';
import { orphansOf, suspects } from './orphans.js';
import {
  blockKeys,
  engineKeys,
  gatedRooms,
  historyKey,
  homeOf,
  isGated,
  orderKey,
  receiptKey,
  replyKey,
  rootKey,
  secretKey,
} from './places.js';
import { RingPacker } from '../keys/pack.js';
import type { RecordedReply } from './recorded.js';
import { mayGoOn } from './measurement.js';
import { leftOver, removalsBetween } from './removals.js';
import { openRoot, openWithEither, readBlock, sealRoot } from './root-seal.js';
import { unpickRootState } from './root-state.js';
import { withDescriptions } from './engine-blocks.js';
import { secretIn, secretText, withSecretNames } from './secret-blocks.js';
import type { Secret } from '../../crypto/secret.js';
import type { NodeState } from './state.js';
import { HistoryAhead } from './ahead.js';

/**
 * What the node remembers, and the order in which it is written.
 *
 *   root/<generation>            the state and the key ring, sealed under a key from the root secret and G
 *   f/<lease>/<block>                    a block of filters ┐ sealed under the lease's outer key:
 *   e/<lease>/<number>                   a receipt          ┘ needed with every K locked
 *   d/<lease>/<epoch>/<id>.<revision>    an engine's settings   ┐
 *   s/<lease>/<epoch>/<id>.<revision>    a secret of engines    │
 *   h/<lease>/<epoch>/<seq>              a line of the history  │ sealed under the lease's data key,
 *   r/<lease>/<epoch>/<console>.<jti>    a reply that was given │ which rests wrapped by the disk key
 *   q/<lease>/<epoch>/<generation>       in which order replies ┘ were given; v/<lease>/… events (events.ts)
 *
 * A change that touches keys, leases, rosters or the salt is written under a new G: first the batch, synced, then G. A crash between the two
 * leaves the old root, which the old G still opens, and the new one, which nothing opens. Such a command was never acknowledged, and at the
 * next start it is removed with everything that was written along with it: lines, replies, receipts and events whose generation never
 * took hold. Nothing is taken away before the new G holds. Each start renews G too. After G is replaced, no older copy of the disk
 * opens with what the machine holds.
 *
 * INVARIANTS:
 * - `commit` is called by one caller at a time (the queue in core.ts).
 * - When `commit` resolves, the change survives a power cut; when it did not, either all of it is there or nothing. What it left to be cleared
 *   away goes with `tidy`, before the next commit.
 */
export class Journal {
  readonly #store: Store;
  readonly #roots: RootStore;
  #secrets: RootSecrets;
  /** N, which signs for the node. */
  readonly identity: Signer;
  /** What the machine measured when it started; absent: nothing is measured. */
  readonly measured: Measured | undefined;
  readonly quote: QuoteMaker | undefined;
  #state: NodeState;
  #ring: KeyRing;
  readonly #packer = new RingPacker();
  /** What stands under the next data keys already. */
  readonly ahead: HistoryAhead;
  #untidy: (() => Promise<void>) | undefined;
  readonly #replies = new KeptReplies();

  private constructor(store: Store, roots: RootStore, rooted: Rooted, state: NodeState, ring: KeyRing) {
    this.#store = store;
    this.#roots = roots;
    this.#secrets = { root: rooted.root, g: rooted.g };
    this.identity = rooted.identity;
    this.measured = rooted.measured;
    this.quote = rooted.quote;
    this.#state = state;
    this.#ring = ring;
    this.ahead = new HistoryAhead(store, this);
  }

  get state(): NodeState {
    return this.#state;
  }

  get ring(): KeyRing {
    return this.#ring;
  }

  /** A new node's first state. */
  static async create(
    store: Store,
    roots: RootStore,
    { state, ring }: { readonly state: NodeState; readonly ring: KeyRing },
    identityBits: number,
  ): Promise<Result<Journal>> {
    if (await roots.exists()) return refuse('already-initialised');
    for await (const [key] of store.entries('root/', { limit: 1 })) return refuse('already-initialised', key);
    const secrets = await roots.create(identityBits);
    if (!secrets.ok) return secrets;
    const journal = new Journal(store, roots, secrets.value, state, ring);
    await store.batch([
      ...journal.#blockOps(undefined, state, ring),
      {
        type: 'put',
        key: rootKey(state.generation),
        value: sealRoot(secrets.value, state, journal.#packer.pack(ring)),
      },
    ]);
    return ok(journal);
  }

  static async open(store: Store, roots: RootStore): Promise<Result<Journal>> {
    if (!(await roots.exists())) return refuse('not-initialised');
    const secrets = await roots.load();
    if (!secrets.ok) return secrets;
    const dead: StoreOp[] = [];
    let journal: Journal | undefined;
    for await (const [key, sealed] of store.entries('root/', { reverse: true })) {
      const opened = journal ? undefined : openRoot(secrets.value, key, sealed);
      if (!opened) {
        dead.push({ type: 'del', key });
        continue;
      }
      const state = await unpickRootState(opened.root, (lease, block) =>
        readBlock(store, opened.ring, lease, block),
      );
      if (!state) return refuse('store-damaged', 'a block of filters is missing or was altered');
      if (!mayGoOn(state, secrets.value.measured))
        return refuse('tpm-measured-otherwise', 'the approval is void');
      journal = new Journal(store, roots, secrets.value, state, opened.ring);
    }
    if (!journal) return refuse('store-damaged', 'no state opens with the secrets of this machine');
    journal.#state = await journal.#described(journal.#state);
    await store.batch([...dead, ...(await journal.#orphans())]);
    // A copy of the disk from before this start shall not open any more.
    const { state, ring } = journal;
    await journal.commit({
      state: { ...state, generation: state.generation + 1 },
      ring,
      renewG: true,
      lines: [],
    });
    await journal.tidy();
    return ok(journal);
  }

  /** `meanwhile` is called while the disk is written. */
  async commit(change: Change, meanwhile: () => void = () => {}): Promise<void> {
    await this.tidy();
    const before = this.#state;
    const next: RootSecrets = change.renewG ? { root: this.#secrets.root, g: newKey() } : this.#secrets;
    await this.#moveData(before, change);
    const trimmed = this.ahead.trimmed(before, change.state, change.ring);
    const removals = removalsBetween(before, change.state, trimmed);
    const ops: StoreOp[] = [
      ...this.#blockOps(before, change.state, change.ring),
      ...this.#engineOps(before, change.state, change.ring),
      ...(change.secrets ?? []).map(({ lease, kept, value }) =>
        this.#seal(change.ring, lease, secretKey(homeOf(change.state, lease), kept), secretText(kept, value)),
      ),
      ...change.lines.map((line) =>
        this.#seal(
          change.ring,
          line.lease,
          historyKey(homeOf(change.state, line.lease), line.seq),
          line.text,
        ),
      ),
      ...this.#receiptOps(change.receipts ?? [], change.ring),
      ...(change.reply ? await this.#replyOps(change.reply, change) : []),
      {
        type: 'put',
        key: rootKey(change.state.generation),
        value: sealRoot(next, change.state, this.#packer.pack(change.ring)),
      },
      ...(change.more ?? []),
      ...removals,
    ];
    // Until the new G holds, the old root, and all it speaks of, may be what is there.
    const later = change.renewG ? ops.filter((op) => op.type === 'del') : [];
    const written = this.#store.batch(change.renewG ? ops.filter((op) => op.type === 'put') : ops);
    meanwhile();
    await written;
    if (change.renewG) {
      const replaced = await this.#roots.replaceG(next.g);
      // Whether the new G holds is not known: only a start can tell, by which of the two roots opens.
      if (!replaced.ok) throw new Error(`G could not be replaced: ${replaced.refusal.detail ?? ''}`);
      this.#secrets = next;
    }
    this.#ring = instead(this.#ring, change.ring);
    this.#state = await this.#described(change.state);
    if (change.reply) this.#replies.add(change.reply);
    this.#replies.forgetAllBut(new Set(change.state.levels.map(({ lease }) => lease)));
    if (change.renewG)
      this.#untidy = async () =>
        this.#store.batch([...later, ...(await leftOver(this.#store, before, change.state))]);
  }

  /** Takes away what nothing opens any more since G was replaced. What a crash leaves of it, the next start takes away. */
  async tidy(): Promise<void> {
    const work = this.#untidy;
    this.#untidy = undefined;
    await work?.();
  }

  async reply(lease: string, console: string, jti: string): Promise<RecordedReply | 'locked' | undefined> {
    if (!this.#replies.has(lease, console, jti)) return undefined;
    const key = replyKey(homeOf(this.#state, lease), console, jti);
    const text = await this.#open(lease, key);
    if (text === undefined) return (await this.#store.get(key)) ? 'locked' : undefined;
    return JSON.parse(text) as RecordedReply;
  }

  /** Lines of a history to the letter, oldest first: as many as were asked for, or fewer when they are long. */
  async history(lease: string, from: number, count: number, head: number): Promise<readonly string[]> {
    const lines: string[] = [];
    let chars = 0;
    for (let seq = from; seq <= head && lines.length < count; seq += 1) {
      const text = await this.#open(lease, historyKey(homeOf(this.#state, lease), seq));
      if (text === undefined) break;
      chars += text.length;
      // A line can hold a command of many megabytes: a page of such lines must not fill the memory.
      if (lines.length > 0 && chars > limits.history_page_chars_max) break;
      lines.push(text);
    }
    return lines;
  }

  /** Receipts of a lease, oldest first. */
  async receipts(lease: string, from: number, to: number): Promise<readonly string[]> {
    const found: string[] = [];
    for (let at = from; at <= to; at += 1) {
      const text = await this.#open(lease, receiptKey(lease, at));
      if (text !== undefined) found.push(text);
    }
    return found;
  }

  /** A secret that a level keeps for its engines. Undefined: there is none of this name, or its key is locked. */
  secret(lease: string, name: string): Promise<Secret | undefined> {
    return secretIn(this.#state, { lease, name }, (of, key) => this.#open(of, key));
  }

  /** Seals bytes that a level owns, for other keepers of its data. */
  sealFor(lease: string, key: string, plaintext: Uint8Array): Uint8Array | undefined {
    const outer = this.#ring.outer.get(lease);
    return outer && sealBox(outer, key, plaintext);
  }

  openFor(lease: string, key: string, box: Uint8Array): Uint8Array | undefined {
    const outer = this.#ring.outer.get(lease);
    return outer && openBox(outer, key, box);
  }

  /** Writes that change nothing of the state: events that no command caused. */
  write(ops: readonly StoreOp[]): Promise<void> {
    return this.#store.batch(ops);
  }

  async close(): Promise<void> {
    await this.tidy();
    this.#packer.wipe();
    await this.#store.close();
  }

  #seal(ring: KeyRing, lease: string, key: string, text: string): Extract<StoreOp, { type: 'put' }> {
    const outer = ring.outer.get(lease);
    if (!outer) throw new Error(`no key for the lease ${lease}`);
    // While a share is outstanding, what comes rests under the outer key, and moves when the share comes.
    const sealer = isGated(key) ? (ring.data.get(lease) ?? outer) : outer;
    return { type: 'put', key, value: sealBox(sealer, key, utf8(text)) };
  }

  /** What must be sealed anew because a data key was replaced and its data is carried over, or because a data key was unlocked. */
  async *#movedData(
    before: NodeState,
    { state, ring, reencrypt }: Change,
  ): AsyncGenerator<Extract<StoreOp, { type: 'put' }>> {
    for (const { lease } of state.levels) {
      if (!before.levels.some((level) => level.lease === lease)) continue;
      const unlocked = !this.#ring.data.has(lease) && ring.data.has(lease);
      const [from, to] = [homeOf(before, lease), homeOf(state, lease)];
      // What a new data key replaced is carried over only where that was asked for: also while a share was outstanding.
      if (from === to ? !unlocked : !reencrypt?.includes(lease)) continue;
      const ahead = this.ahead.under(lease, ring);
      for (const room of gatedRooms)
        for await (const [key, box] of this.#store.entries(
          `${room}/${from}/`,
          room === 'h' && ahead ? { after: historyKey(from, ahead.next - 1) } : {},
        )) {
          const moved = `${room}/${to}/${key.slice(room.length + from.length + 2)}`;
          if (room === 'q') {
            const target = Buffer.from(box).toString('utf8').replace(`/${from}/`, `/${to}/`);
            if (from !== to) yield { type: 'put', key: moved, value: utf8(target) };
            continue;
          }
          const outer = this.#ring.outer.get(lease);
          const opened = unlocked
            ? outer && openBox(outer, key, box)
            : openWithEither(this.#ring, lease, key, box);
          if (opened) yield this.#seal(ring, lease, moved, Buffer.from(opened).toString('utf8'));
        }
    }
  }

  /**
   * Writes it in pieces before the change itself, so that no history fills the memory. Until the change holds, what stands at the next epoch belongs
   * to nobody, and a start removes it; what was only unlocked is where it was, under the key that the next unlocking opens.
   */
  async #moveData(before: NodeState, change: Change): Promise<void> {
    let piece: StoreOp[] = [];
    let bytes = 0;
    for await (const op of this.#movedData(before, change)) {
      piece.push(op);
      bytes += op.value.length;
      if (bytes < limits.journal_piece_bytes) continue;
      await this.#store.batch(piece);
      [piece, bytes] = [[], 0];
    }
    if (piece.length > 0) await this.#store.batch(piece);
  }

  async #open(lease: string, key: string): Promise<string | undefined> {
    const box = await this.#store.get(key);
    const bytes = box && openWithEither(this.#ring, lease, key, box);
    return bytes && Buffer.from(bytes).toString('utf8');
  }

  #receiptOps(receipts: readonly KeptReceipt[], ring: KeyRing): readonly StoreOp[] {
    return receipts.flatMap(({ lease, number: count, jws, drops }): readonly StoreOp[] => [
      this.#seal(ring, lease, receiptKey(lease, count), jws),
      ...(drops === undefined ? [] : [{ type: 'del' as const, key: receiptKey(lease, drops) }]),
    ]);
  }

  #blockOps(before: NodeState | undefined, after: NodeState, ring: KeyRing): readonly StoreOp[] {
    const known = blockKeys(before);
    const ops: StoreOp[] = [];
    for (const [key, { lease, block }] of blockKeys(after))
      if (!known.has(key)) ops.push(this.#seal(ring, lease, key, JSON.stringify(block.filters)));
    return ops;
  }

  #engineOps(before: NodeState, after: NodeState, ring: KeyRing): readonly StoreOp[] {
    const known = engineKeys(before);
    const ops: StoreOp[] = [];
    for (const [key, { lease, engine }] of engineKeys(after))
      // Those that move to a new home are carried over with what else is there.
      if (!known.has(key) && engine.described && homeOf(before, lease) === homeOf(after, lease))
        ops.push(this.#seal(ring, lease, key, JSON.stringify(engine.described)));
    return ops;
  }

  async #described(state: NodeState): Promise<NodeState> {
    const read = (lease: string, key: string): Promise<string | undefined> => this.#open(lease, key);
    return withSecretNames(await withDescriptions(state, this.#ring, read), this.#ring, read);
  }

  async #replyOps(reply: RecordedReply, { state, ring }: Change): Promise<readonly StoreOp[]> {
    const home = homeOf(state, reply.lease);
    const key = replyKey(home, reply.console, reply.jti);
    const ops: StoreOp[] = [
      this.#seal(ring, reply.lease, key, JSON.stringify(reply)),
      { type: 'put', key: orderKey(home, reply.generation), value: utf8(key) },
    ];
    if (!this.#replies.isFull(reply.lease)) return ops;
    for await (const [order, target] of this.#store.entries(`q/${home}/`, { limit: 1 }))
      ops.push({ type: 'del', key: order }, { type: 'del', key: Buffer.from(target).toString('utf8') });
    return ops;
  }

  /** What a crash left behind. */
  async #orphans(): Promise<readonly StoreOp[]> {
    const { state } = this;
    const isOrphan = orphansOf(state);
    const ops: StoreOp[] = [];
    const drop = (key: string): void => void ops.push({ type: 'del', key });
    for await (const [key, value] of suspects(this.#store, state)) {
      const ordersReplies = key.startsWith('q/');
      if (isOrphan(key)) {
        drop(key);
        if (ordersReplies) drop(Buffer.from(value).toString('utf8'));
      } else if (ordersReplies) this.#replies.found(key, value);
    }
    return ops;
  }
}
