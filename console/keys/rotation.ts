import { existsSync, rmSync } from 'node:fs';
import { makePair, type Pair } from '../../crypto/rsa.js';
import type { ConsoleCard } from '../../protocol/console-card.js';
import { roles } from '../../protocol/commands.js';
import { digestText, labelText, nameText } from '../../protocol/fields.js';
import { limits } from '../../protocol/limits.js';
import type { Log } from '../../protocol/log.js';
import { list, oneOf, object, optional, type Parsed } from '../../protocol/parse.js';
import { ok, refuse, type Refusal, type Result } from '../../protocol/result.js';
import { readFileLimited, readSecretFile, writeFileWhole, type ConsoleFiles } from '../daemon/files.js';
import { reboxVault } from '../daemon/vault.js';
import type { NodeBook } from '../nodes/book.js';
import { askedTakings } from '../leases/record.js';
import { Ways } from '../nodes/gateways.js';
import type { KeyStore } from '../store/port.js';
import { Records } from '../store/records.js';
import type { KeySealer } from './file.js';

export interface OwnKey {
  readonly pair: Pair;
  readonly sealer: KeySealer;
  /** The next one, while it is being enrolled. */
  readonly next?: Pair;
  /** The one before, while it is being removed. */
  readonly old?: Pair;
}

/** The key of a console, and the other one while it is replaced. */
export function openOwnKey(files: ConsoleFiles, pair: Pair, sealer: KeySealer): Result<OwnKey> {
  const other = (path: string): Result<Pair | undefined> => {
    if (!existsSync(path)) return ok(undefined);
    const content = readSecretFile(path);
    return content.ok ? sealer.open(content.value.toString()) : content;
  };
  const next = other(files.nextKey);
  if (!next.ok) return next;
  // Stopped between the last two steps: the key file holds it already.
  if (next.value && next.value.public.id !== pair.public.id) return ok({ pair, sealer, next: next.value });
  const old = other(files.oldKey);
  if (!old.ok) return old;
  return ok({ pair, sealer, ...(old.value ? { old: old.value } : {}) });
}

export type Stage = 'none' | 'enrolling' | 'removing';

export interface NodeAt {
  readonly name: string;
  readonly state: 'waiting' | 'enrolled' | 'proven' | 'removed' | 'left behind';
  readonly trouble?: Refusal;
}

const leftForm = object({ nodes: list(nameText, { max: limits.nodes_max }) });
type Left = Parsed<typeof leftForm>;

const entryForm = object({
  id: digestText,
  name: nameText,
  role: oneOf(...roles),
  nodes: optional(list(labelText, { max: limits.labels_per_node_max })),
});

export interface RotationParts {
  readonly files: ConsoleFiles;
  readonly name: string;
  readonly own: OwnKey;
  readonly store: KeyStore;
  readonly book: NodeBook;
  readonly now: () => number;
  readonly log: Log;
  /** The key file holds another key now: the console has to be opened anew. */
  readonly turned: () => void;
}

/**
 * Replaces the key of this console, on every node where it speaks:
 *
 *     none ──begin──▶ enrolling: the next key is enrolled on each node, and has spoken there ──all──▶ vault, key file ──▶ removing: the key
 *       ▲                 │                                                                                              before is taken out
 *       └─────cancel──────┘                                                                                ◀──all──── of each node ──▶ none
 *
 * Where it stands is said by the key files alone, so that a console that was killed goes on at its next start. Each step can be done again.
 *
 * INVARIANTS:
 * - The key file holds a key that every node knows that was not left behind by name.
 * - The vault opens under the key in the key file, at every moment.
 * - No key is removed from a node but by the next one, which shows that the next one works there.
 */
export class KeyRotation {
  readonly #parts: RotationParts;
  readonly #left: Records<Left>;
  readonly #nodes = new Map<string, NodeAt>();
  #own: OwnKey;
  #timer: NodeJS.Timeout | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(parts: RotationParts) {
    this.#parts = parts;
    this.#own = parts.own;
    this.#left = new Records(parts.store, 'key-rotation/', leftForm);
  }

  get stage(): Stage {
    return this.#own.next ? 'enrolling' : this.#own.old ? 'removing' : 'none';
  }

  /** Keys by which this console may show itself just now. */
  isOwn(id: string): boolean {
    return [this.#own.pair, this.#own.next].some((pair) => pair?.public.id === id);
  }

  start(): void {
    if (this.stage !== 'none') this.#soon(0);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#queue;
  }

  async status(): Promise<Result<Readonly<Record<string, unknown>>>> {
    const left = await this.#leftBehind();
    if (!left.ok) return left;
    const waits = this.stage === 'enrolling' ? await this.#waitsFor() : ok([]);
    if (!waits.ok) return waits;
    const { pair, next, old } = this.#own;
    const nodes = this.#parts.book.list().map(({ card }) => this.#at(card.name, left.value));
    return ok({
      stage: this.stage,
      key: pair.public.id,
      ...(next ? { next: next.public.id, card: this.#parts.files.nextCard } : {}),
      ...(old ? { old: old.public.id } : {}),
      nodes: this.stage === 'none' ? [] : nodes,
      waitsFor: waits.value,
    });
  }

  /** Who asks names the key that is to go: asked twice, a key is not replaced twice. */
  begin(replaces: string): Promise<Result<Readonly<Record<string, unknown>>>> {
    return this.#inTurn(async () => {
      if (this.stage !== 'none') return refuse('key-rotating', this.stage);
      const present = this.#own.pair.public.id;
      if (replaces !== present)
        return refuse('not-named', `replaces must be ${present}`, { where: 'replaces' });
      const { files, name } = this.#parts;
      const next = await makePair(this.#own.pair.public.bits);
      const card: ConsoleCard = { v: 1, kind: 'console-card', name, key: next.public.jwk };
      const shown = writeFileWhole(files.nextCard, `${JSON.stringify(card, null, 2)}\n`, 0o644);
      if (!shown.ok) return shown;
      const kept = writeFileWhole(files.nextKey, this.#own.sealer.seal(next));
      if (!kept.ok) return kept;
      this.#own = { ...this.#own, next };
      this.#nodes.clear();
      this.#soon(0);
      return this.status();
    });
  }

  /** The next key is taken out again wherever it was enrolled. */
  cancel(): Promise<Result<Readonly<Record<string, unknown>>>> {
    return this.#inTurn(async () => {
      const { next } = this.#own;
      if (!next) return refuse('key-not-rotating', this.stage);
      const left = await this.#leftBehind();
      if (!left.ok) return left;
      for (const { card } of this.#parts.book.list()) {
        if (left.value.has(card.name)) continue;
        const command = { type: 'consoles.remove', key: next.public.id } as const;
        const removed = await this.#parts.book.request(card.name, command);
        if (!removed.ok && removed.refusal.code !== 'not-found')
          return refuse(removed.refusal.code, `${card.name}: ${removed.refusal.detail ?? ''}`);
      }
      await this.#clear();
      return this.status();
    });
  }

  /** The console gives a node up that cannot be reached: it does not speak there any more. */
  leave(node: string): Promise<Result<Readonly<Record<string, unknown>>>> {
    return this.#inTurn(async () => {
      if (this.stage === 'none') return refuse('key-not-rotating');
      const known = this.#parts.book.get(node);
      if (!known.ok) return known;
      const left = await this.#leftBehind();
      if (!left.ok) return left;
      const noted = await this.#left.put('left', { nodes: [...new Set([...left.value, node])] });
      if (!noted.ok) return noted;
      this.#soon(0);
      return this.status();
    });
  }

  #at(name: string, left: ReadonlySet<string>): NodeAt {
    if (left.has(name)) return { name, state: 'left behind' };
    return this.#nodes.get(name) ?? { name, state: 'waiting' };
  }

  /** Under the next key a node would not know a command again whose answer is still to come: another pair for a level, or the taking of a lease. */
  async #waitsFor(): Promise<Result<readonly string[]>> {
    const { store, now } = this.#parts;
    const asked = await store.range({ prefix: 'rotation/' });
    const takings = await askedTakings(store, now());
    if (!takings.ok) return takings;
    return ok([
      ...asked.entries.map(({ key }) => `keys rotate ${key.slice('rotation/'.length)}`),
      ...takings.value.map((node) => `the taking of ${node}`),
    ]);
  }

  async #leftBehind(): Promise<Result<ReadonlySet<string>>> {
    const found = await this.#left.get('left');
    if (!found.ok && found.refusal.code !== 'not-found') return found;
    return ok(new Set(found.ok ? found.value.value.nodes : []));
  }

  #soon(after_ms: number): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.#inTurn(() => this.#goOn()), after_ms);
  }

  async #goOn(): Promise<Result<void>> {
    const { stage } = this;
    if (stage === 'none' || this.#closed) return ok(undefined);
    const left = await this.#leftBehind();
    if (!left.ok) return left;
    const names = this.#parts.book
      .list()
      .map(({ card }) => card.name)
      .filter((name) => !left.value.has(name));
    const end = stage === 'enrolling' ? 'proven' : 'removed';
    for (const name of names) {
      if (this.#closed) return ok(undefined);
      if (this.#nodes.get(name)?.state !== end)
        this.#nodes.set(name, await (stage === 'enrolling' ? this.#enrol(name) : this.#remove(name)));
    }
    // A node may have come in meanwhile.
    const all = this.#parts.book.list().map(({ card }) => this.#at(card.name, left.value).state);
    if (all.every((state) => state === end || state === 'left behind'))
      return stage === 'enrolling' ? this.#turn() : this.#finish();
    this.#soon(limits.key_rotation_look_ms);
    return ok(undefined);
  }

  async #enrol(name: string): Promise<NodeAt> {
    const { book } = this.#parts;
    const { pair, next } = this.#own;
    const node = book.get(name);
    if (!next || !node.ok) return { name, state: 'waiting' };
    const read = await book.request(name, { type: 'levels.read' });
    if (!read.ok) return { name, state: 'waiting', trouble: read.refusal };
    const levels = (read.value.result?.['levels'] ?? []) as readonly Readonly<Record<string, unknown>>[];
    const entries = list(entryForm, { max: limits.consoles_per_level_max })(
      levels[node.value.card.level]?.['consoles'] ?? [],
      'consoles',
    );
    if (!entries.ok) return { name, state: 'waiting', trouble: entries.refusal };
    const mine = entries.value.find(({ id }) => id === pair.public.id);
    if (!entries.value.some(({ id }) => id === next.public.id)) {
      if (!mine) return { name, state: 'waiting', trouble: { code: 'unknown-console' } };
      const { id: _, ...as } = mine;
      const added = await book.request(name, {
        type: 'consoles.add',
        console: { ...as, key: next.public.jwk },
      });
      if (!added.ok) return { name, state: 'waiting', trouble: added.refusal };
    }
    return this.#prove(name, next);
  }

  /** The next key speaks there once, by the way that it will go: a gateway has to know it too. */
  async #prove(name: string, next: Pair): Promise<NodeAt> {
    const ways = new Ways(next);
    try {
      const spoken = await this.#parts.book.speakAs(name, next, ways.connect, { type: 'status' });
      if (!spoken.ok) return { name, state: 'enrolled', trouble: spoken.refusal };
      return { name, state: 'proven' };
    } finally {
      await ways.close();
    }
  }

  /** From here on the console is another: first the vault opens under both keys, then the files change places. */
  async #turn(): Promise<Result<void>> {
    const { files, store, log } = this.#parts;
    const { pair, next } = this.#own;
    if (!next) return ok(undefined);
    const waits = await this.#waitsFor();
    if (!waits.ok || waits.value.length > 0) {
      this.#soon(limits.key_rotation_look_ms);
      return ok(undefined);
    }
    const boxed = await reboxVault(store, pair, next);
    if (!boxed.ok) return boxed;
    const turned = turnFiles(files);
    if (!turned.ok) return turned;
    log.warn('key.replaced', { old: pair.public.id, key: next.public.id });
    this.#closed = true;
    this.#parts.turned();
    return ok(undefined);
  }

  async #remove(name: string): Promise<NodeAt> {
    const { old } = this.#own;
    if (!old) return { name, state: 'removed' };
    const removed = await this.#parts.book.request(name, { type: 'consoles.remove', key: old.public.id });
    return removed.ok || removed.refusal.code === 'not-found'
      ? { name, state: 'removed' }
      : { name, state: 'proven', trouble: removed.refusal };
  }

  async #finish(): Promise<Result<void>> {
    const { store, log } = this.#parts;
    const boxed = await reboxVault(store, this.#own.pair);
    if (!boxed.ok) return boxed;
    await this.#clear();
    log.warn('key.rotated', { key: this.#own.pair.public.id, todo: 'back it up: key backup FILE' });
    return ok(undefined);
  }

  async #clear(): Promise<void> {
    const { files } = this.#parts;
    for (const file of [files.nextKey, files.oldKey, files.nextCard]) rmSync(file, { force: true });
    const left = await this.#left.get('left');
    if (left.ok) await this.#left.remove('left', left.value.revision);
    const { pair, sealer } = this.#own;
    this.#own = { pair, sealer };
    this.#nodes.clear();
  }

  #inTurn<T>(work: () => Promise<Result<T>>): Promise<Result<T>> {
    const turn = this.#queue.then(work);
    this.#queue = turn.then(
      (done) => {
        if (!done.ok)
          this.#parts.log.warn('key.rotation', { code: done.refusal.code, detail: done.refusal.detail });
      },
      (error: unknown) => this.#parts.log.error('key.rotation', { why: String(error) }),
    );
    return turn;
  }
}

/** The key before stays beside, until no node knows it any more; the last step is one renaming. */
function turnFiles(files: ConsoleFiles): Result<true> {
  const present = readSecretFile(files.key);
  if (!present.ok) return present;
  const next = readSecretFile(files.nextKey);
  if (!next.ok) return next;
  const card = readFileLimited(files.nextCard);
  if (!card.ok) return card;
  const kept = writeFileWhole(files.oldKey, present.value);
  if (!kept.ok) return kept;
  const shown = writeFileWhole(files.card, card.value, 0o644);
  if (!shown.ok) return shown;
  const put = writeFileWhole(files.key, next.value);
  if (!put.ok) return put;
  rmSync(files.nextKey, { force: true });
  return ok(true);
}
