import type { Store, StoreOp } from '../../../bmonitor/ports/store.js';
import { Power } from './power.js';

/**
 * A disk in memory under the node's store, with the semantics of a power cut: a batch that was not acknowledged is lost, whole, unless the
 * process only was killed.
 */
export class FakeDisk {
  #entries: ReadonlyMap<string, Uint8Array>;

  constructor(entries: ReadonlyMap<string, Uint8Array> = new Map()) {
    this.#entries = entries;
  }

  /** What somebody gets who copies the disk. */
  copy(): FakeDisk {
    return new FakeDisk(this.#entries);
  }

  keys(): readonly string[] {
    return [...this.#entries.keys()].sort(byBytes);
  }

  valueAt(key: string): Uint8Array | undefined {
    return this.#entries.get(key);
  }

  /** Somebody writes on the disk behind the node's back. */
  tamper(change: (entries: Map<string, Uint8Array>) => void): void {
    const next = new Map(this.#entries);
    change(next);
    this.#entries = next;
  }

  open(power: Power = new Power()): Store {
    return new OpenDisk(power, {
      read: () => this.#entries,
      write: (ops) => (this.#entries = applied(this.#entries, ops)),
    });
  }
}

interface Medium {
  read(): ReadonlyMap<string, Uint8Array>;
  write(ops: readonly StoreOp[]): void;
}

class OpenDisk implements Store {
  readonly #power: Power;
  readonly #medium: Medium;
  #queue: Promise<void> = Promise.resolve();
  /** Handed over, and not acknowledged yet. */
  #under: readonly StoreOp[][] = [];
  #closed = false;

  constructor(power: Power, medium: Medium) {
    this.#power = power;
    this.#medium = medium;
    power.onStop((by) => {
      if (by === 'kill') for (const ops of this.#under) medium.write(ops);
      this.#under = [];
    });
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    await this.#alive();
    return this.#medium.read().get(key);
  }

  batch(ops: readonly StoreOp[]): Promise<void> {
    const mine = ops.map((op) => ({ ...op }));
    if (this.#closed) return Promise.reject(new Error('the store is closed'));
    const turn = this.#queue.then(async () => {
      if (this.#power.off) await new Promise(() => {});
      if (mine.length === 0) return;
      await this.#power.point(`before batch ${summary(mine)}`);
      this.#under = [...this.#under, mine];
      await this.#power.point(`within batch ${summary(mine)}`);
      this.#under = this.#under.filter((one) => one !== mine);
      this.#medium.write(mine);
      await this.#power.point(`after batch ${summary(mine)}`);
    });
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  async *entries(
    prefix: string,
    options: { readonly after?: string; readonly reverse?: boolean; readonly limit?: number } = {},
  ): AsyncGenerator<readonly [string, Uint8Array]> {
    await this.#alive();
    const { after, reverse = false, limit = Infinity } = options;
    const sign = reverse ? -1 : 1;
    const found = [...this.#medium.read()]
      .filter(([key]) => key.startsWith(prefix))
      .sort(([a], [b]) => sign * byBytes(a, b))
      .filter(([key]) => after === undefined || sign * byBytes(key, after) > 0);
    for (const entry of found.slice(0, limit)) {
      await this.#alive();
      yield entry;
    }
  }

  close(): Promise<void> {
    this.#closed = true;
    return this.#queue;
  }

  async #alive(): Promise<void> {
    if (this.#closed) throw new Error('the store is closed');
    if (this.#power.off) await new Promise(() => {});
  }
}

function applied(
  entries: ReadonlyMap<string, Uint8Array>,
  ops: readonly StoreOp[],
): ReadonlyMap<string, Uint8Array> {
  const next = new Map(entries);
  for (const op of ops)
    if (op.type === 'put') next.set(op.key, Uint8Array.from(op.value));
    else next.delete(op.key);
  return next;
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Which rooms a batch touches: enough to know it by in the name of a point. */
function summary(ops: readonly StoreOp[]): string {
  return [...new Set(ops.map((op) => `${op.type === 'put' ? '+' : '-'}${op.key.split('/')[0] ?? ''}`))].join(
    '',
  );
}
