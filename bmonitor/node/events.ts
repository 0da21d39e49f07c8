import { utf8 } from '../../crypto/jose.js';
import { limits } from '../../protocol/limits.js';
import type { Store, StoreOp } from '../ports/store.js';
import type { NodeEvent } from './decision.js';
import type { NodeState } from './state.js';

/**
 * What consoles that follow are told. Events of a lease are numbered without a gap, kept sealed for a while, and handed out only when they are
 * durable: so a console that comes back after its last number misses none and gets none twice, also across a crash.
 *
 *   v/<lease>/<number of the first event>.<generation>    the lines of one write, sealed under the lease's data key
 *
 * The generation is that of the state with which they were written: when that never took hold, neither did they.
 *
 * INVARIANTS:
 * - `stage` and `written` are called in the core's turn, in pairs, and what is staged is written in one batch with what caused it.
 * - A follower sees a line only after `written`.
 */
export interface EventSealer {
  sealFor(lease: string, key: string, plaintext: Uint8Array): Uint8Array | undefined;
  openFor(lease: string, key: string, box: Uint8Array): Uint8Array | undefined;
}

interface Kept {
  readonly first: number;
  readonly key: string;
  /** As it rests on the disk. */
  readonly bytes: number;
}

interface Block extends Kept {
  readonly lines: readonly string[];
}

interface Track {
  next: number;
  /** The newest blocks, oldest first: a follower that keeps up never reads the disk. */
  recent: Block[];
  /** What is on the disk, oldest first. */
  kept: Kept[];
  /** Of all that is kept. */
  bytes: number;
}

export class EventLog {
  readonly #store: Store;
  readonly #sealer: EventSealer;
  readonly #tracks = new Map<string, Track>();
  #waiting: NodeEvent[] = [];
  #dropped = 0;
  #staged: (readonly [lease: string, block: Block])[] = [];
  #told: (readonly [lease: string, event: NodeEvent, time_s: number])[] = [];
  /** The leases there are: what was known of any other goes with it. */
  #living: ReadonlySet<string> = new Set();
  readonly #followers = new Set<() => void>();
  /** Asked for when events wait that no command will take along. */
  onWaiting: () => void = () => {};
  /** Told of each event for each lease whose holders may know, once it is durable. */
  onTold: (lease: string, event: NodeEvent, time_s: number) => void = () => {};

  constructor(store: Store, sealer: EventSealer) {
    this.#store = store;
    this.#sealer = sealer;
  }

  async load(state: NodeState): Promise<void> {
    for (const { lease } of state.levels) {
      const track: Track = { next: 1, recent: [], kept: [], bytes: 0 };
      // Only the newest one is looked into: to open all of them would take the longer the more has happened.
      for await (const [key, box] of this.#store.entries(prefix(lease))) {
        track.kept.push({ first: firstOf(lease, key), key, bytes: box.length });
        track.bytes += box.length;
      }
      for (;;) {
        const last = track.kept.at(-1);
        const newest = await this.#readBlock(lease, last);
        if (last && !newest) {
          track.kept.pop();
          track.bytes -= last.bytes;
          continue;
        }
        if (newest) track.next = newest.first + newest.lines.length;
        break;
      }
      this.#tracks.set(lease, track);
    }
  }

  /** An event that no command caused. It is written soon, together with others. */
  add(event: NodeEvent): void {
    if (this.#waiting.length >= limits.events_waiting_max) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(event);
    if (this.#waiting.length === 1) this.onWaiting();
  }

  get waiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** Numbers the events, with those that waited, and gives what is to be written. */
  stage(events: readonly NodeEvent[], state: NodeState, time_s: number): readonly StoreOp[] {
    const all = [...this.#waiting, ...this.#toldOfDropped(state), ...events];
    this.#waiting = [];
    this.#dropped = 0;
    this.#staged = [];
    this.#told = [];
    this.#living = new Set(state.levels.map(({ lease }) => lease));
    const ops: StoreOp[] = [];
    for (const [index, { lease }] of state.levels.entries()) {
      const mine = all.filter((event) => event.to.includes(index));
      if (mine.length === 0) continue;
      const track = this.#track(lease);
      const lines = mine.map((event, at) =>
        JSON.stringify({ seq: track.next + at, time: time_s, kind: event.kind, ...event.fields }),
      );
      const key = blockKey(lease, track.next, state.generation);
      const value = this.#sealer.sealFor(lease, key, utf8(lines.join('\n')));
      // A lease that is made in this very step has no data key yet: its holder was not there to see it.
      if (!value) continue;
      const block: Block = { first: track.next, key, lines, bytes: value.length };
      this.#staged.push([lease, block]);
      for (const event of mine) this.#told.push([lease, event, time_s]);
      ops.push({ type: 'put', key, value });
      for (const old of surplus(track, block)) ops.push({ type: 'del', key: old.key });
    }
    return ops;
  }

  written(): void {
    for (const [lease, block] of this.#staged) {
      const track = this.#track(lease);
      track.next = block.first + block.lines.length;
      for (const old of surplus(track, block)) {
        track.kept.shift();
        track.bytes -= old.bytes;
      }
      track.kept.push({ first: block.first, key: block.key, bytes: block.bytes });
      track.bytes += block.bytes;
      track.recent.push(block);
      if (track.recent.length > limits.event_blocks_in_memory_max) track.recent.shift();
    }
    this.#staged = [];
    for (const lease of this.#tracks.keys()) if (!this.#living.has(lease)) this.#tracks.delete(lease);
    for (const wake of this.#followers) wake();
    for (const [lease, event, time_s] of this.#told.splice(0)) this.onTold(lease, event, time_s);
  }

  /** The number that the next event of the lease will have. */
  next(lease: string): number {
    return this.#tracks.get(lease)?.next ?? 1;
  }

  /** What of the events of the lease is kept, and how much of its room that takes. */
  kept(lease: string): Readonly<Record<string, number>> {
    const { next = 1, kept = [], bytes = 0 } = this.#tracks.get(lease) ?? {};
    return { first: kept[0]?.first ?? next, last: next - 1, bytes, bytesMax: limits.event_bytes_max };
  }

  /** The lines from a number on that are there now. When older ones are gone, `from` says where it really begins. */
  async read(
    lease: string,
    from: number,
  ): Promise<{ readonly from: number; readonly lines: readonly string[] }> {
    const track = this.#tracks.get(lease);
    if (!track) return { from, lines: [] };
    const oldest = track.kept[0]?.first ?? track.next;
    const start = Math.max(from, oldest);
    if (start >= track.next) return { from: start, lines: [] };
    const inMemory = track.recent.find(
      (block) => start >= block.first && start < block.first + block.lines.length,
    );
    const block = inMemory ?? (await this.#readBlock(lease, lastAtMost(track.kept, start)));
    if (!block) return { from: start, lines: [] };
    return { from: start, lines: block.lines.slice(start - block.first) };
  }

  /** Calls whenever something new was written, until the function that is given back is called. */
  onWritten(wake: () => void): () => void {
    this.#followers.add(wake);
    return () => this.#followers.delete(wake);
  }

  /** Of how many leases something is kept in memory. */
  get tracked(): number {
    return this.#tracks.size;
  }

  #toldOfDropped(state: NodeState): readonly NodeEvent[] {
    if (this.#dropped === 0) return [];
    const fields = { count: this.#dropped };
    return [{ to: state.levels.map((_, at) => at), kind: 'events.dropped', fields }];
  }

  #track(lease: string): Track {
    const known = this.#tracks.get(lease);
    if (known) return known;
    const made: Track = { next: 1, recent: [], kept: [], bytes: 0 };
    this.#tracks.set(lease, made);
    return made;
  }

  async #readBlock(lease: string, kept: Kept | undefined): Promise<Block | undefined> {
    const box = kept && (await this.#store.get(kept.key));
    return box && this.#open(lease, kept.key, box);
  }

  #open(lease: string, key: string, box: Uint8Array): Block | undefined {
    const bytes = this.#sealer.openFor(lease, key, box);
    if (!bytes) return undefined;
    return { first: firstOf(lease, key), key, lines: textOf(bytes).split('\n'), bytes: box.length };
  }
}

/** The oldest blocks that make room for one more, by their number and by their size. The newest is kept, whatever its size. */
function surplus({ kept, bytes }: Track, more: Block): readonly Kept[] {
  let [count, left] = [0, bytes + more.bytes];
  for (const { bytes: freed } of kept) {
    if (left <= limits.event_bytes_max && kept.length - count < limits.event_blocks_kept_max) break;
    left -= freed;
    count += 1;
  }
  return kept.slice(0, count);
}

function firstOf(lease: string, key: string): number {
  return Number(key.slice(prefix(lease).length).split('.')[0]);
}

/** Without a copy of the bytes. */
function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

function lastAtMost(kept: readonly Kept[], seq: number): Kept | undefined {
  let low = 0;
  let high = kept.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((kept[middle]?.first ?? Infinity) <= seq) low = middle + 1;
    else high = middle;
  }
  return kept[low - 1];
}

function prefix(lease: string): string {
  return `v/${lease}/`;
}

function blockKey(lease: string, first: number, generation: number): string {
  return `${prefix(lease)}${String(first).padStart(15, '0')}.${generation}`;
}
