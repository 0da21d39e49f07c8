import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Refused, type Result } from '../../protocol/result.js';
import type { Box, BoxChange, LevelBoxes, Verdict } from './boxes.js';
import {
  directions,
  families,
  type Direction,
  type Family,
  type NormalFilter,
  type NormalSet,
} from './model.js';
import { RectIndex } from './rect-index.js';
import { covers, subtract, type Coord, type Rect } from './rects.js';

/**
 * From filters that overlap to boxes that do not. Each rectangle of a filter gives what is left of it when those that
 * outrank it are cut out: denies come before allows, allows before one-way allows, and the lower id before the higher.
 * What a set compiles to therefore depends on nothing but the set, whether it was compiled at once or grew.
 */
interface Piece extends Rect {
  readonly rank: number;
  readonly id: number;
  boxes: readonly Box[];
}

const ranks = { deny: 0, allow: 1, oneway: 2 } as const satisfies Record<Verdict, number>;
const none: readonly never[] = [];
/** Outranks all. */
const first = -1;
const verdicts = ['deny', 'allow', 'oneway'] as const satisfies readonly Verdict[];

export function verdictOf(filter: Pick<NormalFilter, 'action' | 'oneway'>): Verdict {
  if (filter.action === 'deny') return 'deny';
  return filter.oneway ? 'oneway' : 'allow';
}

/** IPv4 peers as numbers, IPv6 peers as bigint: see rects.ts. */
export function peerCoord(family: Family, address: bigint): Coord {
  return family === 4 ? Number(address) : address;
}

/** All rectangles of a filter in one plane. */
export function* rectsOf(filter: NormalFilter, direction: Direction, family: Family): Generator<Rect> {
  if (!filter.directions.includes(direction)) return;
  for (const peer of filter.peers) {
    if (peer.family !== family) continue;
    const [x1, x2] = [peerCoord(family, peer.lo), peerCoord(family, peer.hi)];
    for (const service of filter.services[family]) yield { x1, x2, y1: service.lo, y2: service.hi };
  }
}

/** Counts what the work costs, so that filters made to overlap cannot hold up the node. */
class Effort {
  #left: number = limits.filter_overlaps_per_compile_max;

  spend(amount: number): boolean {
    this.#left -= amount;
    return this.#left >= 0;
  }
}

function tooComplex(id: number): Refused {
  return refuse(
    'filters-too-complex',
    `filter ${id} overlaps others in more ways than are compiled; the limits are ${limits.filter_boxes_per_set_max} boxes and ${limits.filter_overlaps_per_compile_max} overlaps`,
  );
}

/** One direction and family. */
class Plane {
  readonly #direction: Direction;
  readonly #family: Family;
  readonly #pieces: RectIndex<Piece>;
  readonly #byId = new Map<number, Piece[]>();

  constructor(direction: Direction, family: Family, filters: readonly NormalFilter[]) {
    this.#direction = direction;
    this.#family = family;
    this.#pieces = new RectIndex(filters.flatMap((filter) => this.#piecesOf(filter)));
  }

  #piecesOf(filter: NormalFilter): readonly Piece[] {
    if (!filter.directions.includes(this.#direction)) return none;
    const rank = filter.first === true ? first : ranks[verdictOf(filter)];
    const pieces: Piece[] = [];
    // A set has many thousands, each looked at for every plane: nothing is made here that is not kept.
    for (const { family, lo, hi } of filter.peers) {
      if (family !== this.#family) continue;
      const [x1, x2] = [peerCoord(family, lo), peerCoord(family, hi)];
      for (const service of filter.services[family])
        pieces.push({ x1, x2, y1: service.lo, y2: service.hi, rank, id: filter.id, boxes: none });
    }
    if (pieces.length > 0) this.#byId.set(filter.id, pieces);
    return pieces;
  }

  #boxOf(piece: Piece, rect: Rect): Box {
    return {
      direction: this.#direction,
      family: this.#family,
      lo: BigInt(rect.x1),
      hi: BigInt(rect.x2),
      services: { lo: rect.y1, hi: rect.y2 },
      verdict: piece.rank === first ? 'allow' : (verdicts[piece.rank] ?? 'deny'),
      filter: piece.id,
    };
  }

  /** What is left of a piece under those that outrank it; undefined if that takes too much effort. */
  #boxesOf(piece: Piece, effort: Effort): readonly Box[] | undefined {
    const above: Piece[] = [];
    let hidden = false;
    let seen = 0;
    this.#pieces.search(piece, (other) => {
      seen++;
      if (!outranks(other, piece)) return true;
      above.push(other);
      hidden = covers(other, piece);
      return !hidden;
    });
    if (!effort.spend(seen)) return undefined;
    if (hidden) return [];
    const rects = subtract(piece, above);
    return effort.spend(rects.length) ? rects.map((rect) => this.#boxOf(piece, rect)) : undefined;
  }

  compile(effort: Effort): Result<readonly Box[]> {
    const boxes: Box[] = [];
    for (const pieces of this.#byId.values())
      for (const piece of pieces) {
        const own = this.#boxesOf(piece, effort);
        if (own === undefined || boxes.length + own.length > limits.filter_boxes_per_set_max)
          return tooComplex(piece.id);
        piece.boxes = own;
        for (const box of own) boxes.push(box);
      }
    return ok(boxes);
  }

  *boxes(): Generator<Box> {
    for (const pieces of this.#byId.values()) for (const piece of pieces) yield* piece.boxes;
  }

  /** Puts the filter's pieces in; `settle` then computes what changes. */
  insert(filter: NormalFilter): readonly Piece[] {
    const pieces = this.#piecesOf(filter);
    for (const piece of pieces) this.#pieces.insert(piece);
    return pieces;
  }

  take(id: number): readonly Piece[] {
    const pieces = this.#byId.get(id) ?? [];
    this.#byId.delete(id);
    for (const piece of pieces) this.#pieces.remove(piece);
    return pieces;
  }

  putBack(id: number, pieces: readonly Piece[]): void {
    if (pieces.length === 0) return;
    this.#byId.set(id, [...pieces]);
    for (const piece of pieces) this.#pieces.insert(piece);
  }

  /** New boxes for every piece that one of `moved` outranks, and for `also`. Nothing is changed yet. */
  settle(
    moved: readonly Piece[],
    also: readonly Piece[],
    effort: Effort,
  ): Map<Piece, readonly Box[]> | Refused {
    const touched = new Set(also);
    for (const piece of moved)
      this.#pieces.search(piece, (other) => {
        if (outranks(piece, other)) touched.add(other);
      });
    const settled = new Map<Piece, readonly Box[]>();
    for (const piece of touched) {
      const boxes = this.#boxesOf(piece, effort);
      if (boxes === undefined) return tooComplex(piece.id);
      settled.set(piece, boxes);
    }
    return settled;
  }
}

function outranks(a: Piece, b: Piece): boolean {
  return a.rank < b.rank || (a.rank === b.rank && a.id < b.id);
}

function keyOf(box: Box): string {
  return `${box.lo} ${box.hi} ${box.services.lo} ${box.services.hi}`;
}

/** Boxes of one piece share verdict and filter, so their place tells them apart. */
function difference(from: readonly Box[], minus: readonly Box[]): readonly Box[] {
  if (minus.length === 0) return from;
  const keys = new Set(minus.map(keyOf));
  return from.filter((box) => !keys.has(keyOf(box)));
}

type Settled = ReadonlyMap<Piece, readonly Box[]>;

/**
 * A level that is compiled once and then follows its set filter by filter: each change costs what it overlaps, not the
 * size of the set.
 *
 * INVARIANTS:
 * - The boxes are disjoint, and the same that `compileSet` gives for the filters that are in.
 * - A change that is refused changes nothing.
 */
export class LevelCompiler {
  readonly #planes: readonly Plane[];
  readonly #ids: Set<number>;
  #count: number;

  private constructor(planes: readonly Plane[], ids: Set<number>, count: number) {
    this.#planes = planes;
    this.#ids = ids;
    this.#count = count;
  }

  static from(filters: readonly NormalFilter[]): Result<LevelCompiler> {
    const ids = new Set(filters.map((filter) => filter.id));
    if (ids.size !== filters.length) throw new Error('two filters have one id');
    const planes = directions.flatMap((direction) =>
      families.map((family) => new Plane(direction, family, filters)),
    );
    const effort = new Effort();
    let count = 0;
    for (const plane of planes) {
      const boxes = plane.compile(effort);
      if (!boxes.ok) return boxes;
      count += boxes.value.length;
    }
    if (count > limits.filter_boxes_per_set_max) return tooComplex(filters.at(-1)?.id ?? 0);
    return ok(new LevelCompiler(planes, ids, count));
  }

  *boxes(): Generator<Box> {
    for (const plane of this.#planes) yield* plane.boxes();
  }

  has(id: number): boolean {
    return this.#ids.has(id);
  }

  add(filter: NormalFilter): Result<BoxChange> {
    if (this.#ids.has(filter.id)) throw new Error(`filter ${filter.id} is in already`);
    const effort = new Effort();
    const settled: Settled[] = [];
    for (const plane of this.#planes) {
      const pieces = plane.insert(filter);
      const result = plane.settle(pieces, pieces, effort);
      if (result instanceof Map) settled.push(result);
    }
    const change = settled.length === this.#planes.length ? this.#changeOf(settled, []) : undefined;
    if (change === undefined) {
      for (const plane of this.#planes) plane.take(filter.id);
      return tooComplex(filter.id);
    }
    this.#ids.add(filter.id);
    this.#apply(settled, change);
    return ok(change);
  }

  remove(id: number): Result<BoxChange> {
    if (!this.#ids.has(id)) throw new Error(`filter ${id} is not in`);
    const effort = new Effort();
    const settled: Settled[] = [];
    const taken = this.#planes.map((plane) => plane.take(id));
    for (const [index, plane] of this.#planes.entries()) {
      const result = plane.settle(taken[index] ?? [], [], effort);
      if (result instanceof Map) settled.push(result);
    }
    const gone = taken.flat().flatMap((piece) => piece.boxes);
    const change = settled.length === this.#planes.length ? this.#changeOf(settled, gone) : undefined;
    if (change === undefined) {
      for (const [index, plane] of this.#planes.entries()) plane.putBack(id, taken[index] ?? []);
      return tooComplex(id);
    }
    this.#ids.delete(id);
    this.#apply(settled, change);
    return ok(change);
  }

  /** undefined if the level would then have more boxes than its limit. */
  #changeOf(settled: readonly Settled[], gone: readonly Box[]): BoxChange | undefined {
    const removed = [...gone];
    const added: Box[] = [];
    for (const plane of settled)
      for (const [piece, boxes] of plane) {
        for (const box of difference(piece.boxes, boxes)) removed.push(box);
        for (const box of difference(boxes, piece.boxes)) added.push(box);
      }
    const count = this.#count + added.length - removed.length;
    return count > limits.filter_boxes_per_set_max ? undefined : { removed, added };
  }

  #apply(settled: readonly Settled[], change: BoxChange): void {
    for (const plane of settled) for (const [piece, boxes] of plane) piece.boxes = boxes;
    this.#count += change.added.length - change.removed.length;
  }
}

export function compileSet(set: NormalSet): Result<LevelBoxes> {
  const compiler = LevelCompiler.from(set.filters);
  if (!compiler.ok) return compiler;
  return ok({ otherwise: set.otherwise, onRefuse: set.onRefuse, boxes: [...compiler.value.boxes()] });
}
