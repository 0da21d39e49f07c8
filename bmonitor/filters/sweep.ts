import { addressMax } from './address.js';
import type { Family, PeerRange, ServiceRange } from './model.js';
import { service_max } from './protocols.js';

/**
 * Finds a point that the inner filters let through and the outer ones do not: a sweep along the peers with a segment
 * tree over the services. Every node of the tree knows which kinds of points there are below it, so that the root shows
 * at each step whether one is bad, and the way down finds it. O(n log n) whatever the filters look like: a set made to
 * be slow to prove is as quick as any other.
 */
export const roles = { innerAllow: 0, innerDeny: 1, outerAllow: 2, outerDeny: 3 } as const;
export type Role = (typeof roles)[keyof typeof roles];

const addressDigits = { 4: 2, 6: 8 } as const satisfies Record<Family, number>;

/** The 16-bit digits of addresses, least significant first. */
class Digits {
  readonly columns: readonly Uint16Array[];
  readonly #words = new BigUint64Array(2);
  readonly #view = new DataView(this.#words.buffer);

  constructor(family: Family, capacity: number) {
    this.columns = Array.from({ length: addressDigits[family] }, () => new Uint16Array(capacity));
  }

  set(at: number, address: bigint): void {
    this.#view.setBigUint64(0, address, true);
    if (this.columns.length > 4) this.#view.setBigUint64(8, address >> 64n, true);
    for (let digit = 0; digit < this.columns.length; digit++) {
      const column = this.columns[digit];
      if (column !== undefined) column[at] = this.#view.getUint16(digit * 2, true);
    }
  }

  get(at: number): bigint {
    return this.columns.reduceRight((value, column) => (value << 16n) | BigInt(column[at] ?? 0), 0n);
  }

  same(a: number, b: number): boolean {
    for (const column of this.columns) if (column[a] !== column[b]) return false;
    return true;
  }
}

/**
 * Rectangles by columns. Each has two stops on the way along the peers, where it opens (2 × its number) and, behind its
 * last peer, where it closes (2 × its number + 1). One that ends with the last address of all has no second stop.
 */
export class Shapes {
  readonly family: Family;
  readonly stops: Digits;
  readonly role: Uint8Array;
  readonly y1: Uint32Array;
  readonly y2: Uint32Array;
  readonly #closes: Uint8Array;
  #count = 0;

  constructor(family: Family, capacity: number) {
    this.family = family;
    this.stops = new Digits(family, capacity * 2);
    this.role = new Uint8Array(capacity);
    this.y1 = new Uint32Array(capacity);
    this.y2 = new Uint32Array(capacity);
    this.#closes = new Uint8Array(capacity);
  }

  get count(): number {
    return this.#count;
  }

  add(role: Role, peers: PeerRange, services: readonly ServiceRange[]): void {
    const last = peers.hi === addressMax[this.family];
    const next = last ? 0n : peers.hi + 1n;
    for (const { lo, hi } of services) {
      const at = this.#count++;
      this.stops.set(at * 2, peers.lo);
      this.stops.set(at * 2 + 1, next);
      this.role[at] = role;
      this.y1[at] = lo;
      this.y2[at] = hi;
      this.#closes[at] = last ? 0 : 1;
    }
  }

  /** The stops in the order of their addresses: by the least significant digit first, exact and without comparisons. */
  ordered(): Uint32Array {
    const all = new Uint32Array(this.#count * 2);
    let length = 0;
    for (let at = 0; at < this.#count; at++) {
      all[length++] = at * 2;
      if (this.#closes[at] === 1) all[length++] = at * 2 + 1;
    }
    let order = all.subarray(0, length);
    let spare = new Uint32Array(length);
    for (const column of this.stops.columns) {
      if (order.every((stop) => column[stop] === column[0])) continue;
      sortBy(column, order, spare);
      [order, spare] = [spare, order];
    }
    return order;
  }
}

function sortBy(column: Uint16Array, from: Uint32Array, to: Uint32Array): void {
  const next = new Uint32Array(65_537);
  for (let at = 0; at < from.length; at++) {
    const slot = (column[from[at] ?? 0] ?? 0) + 1;
    next[slot] = (next[slot] ?? 0) + 1;
  }
  for (let digit = 1; digit <= 65_536; digit++) next[digit] = (next[digit] ?? 0) + (next[digit - 1] ?? 0);
  for (let at = 0; at < from.length; at++) {
    const stop = from[at] ?? 0;
    const digit = column[stop] ?? 0;
    const place = next[digit] ?? 0;
    to[place] = stop;
    next[digit] = place + 1;
  }
}

/** A cell in which all points are judged alike. */
export interface Cell {
  readonly x1: bigint;
  readonly x2: bigint;
  readonly y1: number;
  readonly y2: number;
}

/*
 * Kinds of points. The inner side says none or allowed (0, 1), the outer none, allowed or denied (0, 1, 2); a point that
 * the inner denies can never be bad. Filters that cover a point are an OR of role bits, in any order.
 */
const dead = 6;
const kinds = 7;

function kindUnder(kind: number, cover: number): number {
  if (kind === dead || (cover & (1 << roles.innerDeny)) !== 0) return dead;
  const inner = kind >= 3 || (cover & (1 << roles.innerAllow)) !== 0 ? 1 : 0;
  const below = kind % 3;
  const allowed = below === 1 || (cover & (1 << roles.outerAllow)) !== 0 ? 1 : 0;
  const outer = below === 2 || (cover & (1 << roles.outerDeny)) !== 0 ? 2 : allowed;
  return inner * 3 + outer;
}

/** For each set of covering roles and each set of kinds below: the set of kinds that comes of it. */
const under: Uint8Array = (() => {
  const table = new Uint8Array(16 << kinds);
  for (let cover = 0; cover < 16; cover++)
    for (let mask = 0; mask < 1 << kinds; mask++) {
      let result = 0;
      for (let kind = 0; kind < kinds; kind++)
        if ((mask & (1 << kind)) !== 0) result |= 1 << kindUnder(kind, cover);
      table[(cover << kinds) | mask] = result;
    }
  return table;
})();

const coverBits = 15 << kinds;
const kindBits = (1 << kinds) - 1;
const nothingHere = 1;
const refusedByDeny = 1 << 5;
const refusedByNothing = 1 << 3;

/** INVARIANTS: `#state` of a node is its covering roles, shifted by `kinds`, and the kinds of points below under them. */
class Tree {
  readonly #leaves: number;
  readonly #counts: Int32Array;
  readonly #state: Uint16Array;

  constructor(leaves: number) {
    this.#leaves = 1;
    while (this.#leaves < leaves) this.#leaves *= 2;
    this.#counts = new Int32Array(this.#leaves * 8);
    this.#state = new Uint16Array(this.#leaves * 2).fill(nothingHere);
  }

  change(from: number, to: number, role: number, by: 1 | -1): void {
    let left = from + this.#leaves;
    let right = to + this.#leaves + 1;
    while (left < right) {
      if ((left & 1) === 1) this.#changeNode(left++, role, by);
      if ((right & 1) === 1) this.#changeNode(--right, role, by);
      left >>= 1;
      right >>= 1;
    }
  }

  #changeNode(node: number, role: number, by: 1 | -1): void {
    const slot = node * 4 + role;
    const count = (this.#counts[slot] ?? 0) + by;
    this.#counts[slot] = count;
    if (count > 1 || (count === 1 && by < 0)) return;
    const state = this.#state;
    const leaves = this.#leaves;
    state[node] = (state[node] ?? 0) ^ (1 << (role + kinds));
    for (let at = node; at >= 1; at >>= 1) {
      const old = state[at] ?? 0;
      const cover = old & coverBits;
      const below = at >= leaves ? nothingHere : ((state[at * 2] ?? 0) | (state[at * 2 + 1] ?? 0)) & kindBits;
      const next = cover | (under[cover | below] ?? 0);
      if (next === old) return;
      state[at] = next;
    }
  }

  /** The leaf of a bad point, if there is one. */
  find(bad: number): number | undefined {
    if (((this.#state[1] ?? 0) & bad) === 0) return undefined;
    let node = 1;
    let cover = (this.#state[1] ?? 0) & coverBits;
    while (node < this.#leaves) {
      node *= 2;
      if (((under[cover | ((this.#state[node] ?? 0) & kindBits)] ?? 0) & bad) === 0) node++;
      cover |= (this.#state[node] ?? 0) & coverBits;
    }
    return node - this.#leaves;
  }
}

/** The services by rank: only where something begins do points differ. The axis is short enough for a table. */
class Ranks {
  readonly starts: number[] = [];
  readonly #ranks = new Uint32Array(service_max + 2);

  constructor(shapes: Shapes) {
    const ranks = this.#ranks;
    for (let at = 0; at < shapes.count; at++) {
      ranks[shapes.y1[at] ?? 0] = 1;
      ranks[(shapes.y2[at] ?? 0) + 1] = 1;
    }
    for (let at = ranks.indexOf(1); at < ranks.length && at >= 0; at++)
      if (ranks[at] === 1) ranks[at] = this.starts.push(at) - 1;
  }

  of(start: number): number {
    return this.#ranks[start] ?? 0;
  }
}

/** `inherits`: where the outer filters say nothing, they let pass. */
export function findOutside(shapes: Shapes, inherits: boolean): Cell | undefined {
  const bad = inherits ? refusedByDeny : refusedByDeny | refusedByNothing;
  const ranks = new Ranks(shapes);
  const tree = new Tree(ranks.starts.length);
  const order = shapes.ordered();
  for (let at = 0; at < order.length;) {
    const first = order[at] ?? 0;
    for (; at < order.length; at++) {
      const stop = order[at] ?? 0;
      if (stop !== first && !shapes.stops.same(stop, first)) break;
      const shape = stop >> 1;
      const from = ranks.of(shapes.y1[shape] ?? 0);
      const to = ranks.of((shapes.y2[shape] ?? 0) + 1) - 1;
      tree.change(from, to, shapes.role[shape] ?? 0, (stop & 1) === 0 ? 1 : -1);
    }
    const leaf = tree.find(bad);
    if (leaf === undefined) continue;
    const y1 = ranks.starts[leaf] ?? 0;
    return {
      x1: shapes.stops.get(first),
      x2: at < order.length ? shapes.stops.get(order[at] ?? 0) - 1n : addressMax[shapes.family],
      y1,
      y2: (ranks.starts[leaf + 1] ?? y1 + 1) - 1,
    };
  }
  return undefined;
}
