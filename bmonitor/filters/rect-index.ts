import { compareCoords, covers, overlap, type Coord, type Rect } from './rects.js';

/** The most entries of one tree node. */
const fanout = 12;

interface Branch<T extends Rect> {
  x1: Coord;
  x2: Coord;
  y1: number;
  y2: number;
  /** Exactly one of the two is used: a branch holds either branches or items. */
  readonly branches: Branch<T>[] | undefined;
  readonly items: T[];
}

/**
 * Finds the rectangles that overlap another one: an R-tree. Built at once from a set, and changed item by item.
 *
 * INVARIANTS:
 * - Every branch bounds what is below it, and has one entry at least (the root may be empty).
 * - All items are equally deep.
 */
export class RectIndex<T extends Rect> {
  #root: Branch<T>;
  #size: number;

  constructor(items: readonly T[] = []) {
    this.#root = pack(items);
    this.#size = items.length;
  }

  get size(): number {
    return this.#size;
  }

  /** Calls `visit` for each item that overlaps, until it returns false. */
  search(area: Rect, visit: (item: T) => boolean | void): void {
    const stack: Branch<T>[] = [this.#root];
    for (let branch = stack.pop(); branch !== undefined; branch = stack.pop()) {
      if (branch.branches === undefined) {
        for (const item of branch.items) if (overlap(item, area) && visit(item) === false) return;
      } else for (const below of branch.branches) if (overlap(below, area)) stack.push(below);
    }
  }

  all(area: Rect): T[] {
    const found: T[] = [];
    this.search(area, (item) => void found.push(item));
    return found;
  }

  at(x: Coord, y: number): T | undefined {
    let found: T | undefined;
    this.search({ x1: x, x2: x, y1: y, y2: y }, (item) => {
      found = item;
      return false;
    });
    return found;
  }

  insert(item: T): void {
    const sibling = insertBelow(this.#root, item);
    if (sibling !== undefined) this.#root = branchOf([this.#root, sibling]);
    this.#size++;
  }

  /** Removes this very item; false if it is not here. */
  remove(item: T): boolean {
    if (!removeBelow(this.#root, item)) return false;
    this.#size--;
    while (this.#root.branches?.length === 1) {
      const [only] = this.#root.branches;
      if (only === undefined) break;
      this.#root = only;
    }
    if (this.#root.branches?.length === 0) this.#root = leafOf([]);
    return true;
  }
}

function leafOf<T extends Rect>(items: T[]): Branch<T> {
  const leaf: Branch<T> = { x1: 0, x2: -1, y1: 0, y2: -1, branches: undefined, items };
  bound(leaf, items);
  return leaf;
}

function branchOf<T extends Rect>(branches: Branch<T>[]): Branch<T> {
  const branch: Branch<T> = { x1: 0, x2: -1, y1: 0, y2: -1, branches, items: [] };
  bound(branch, branches);
  return branch;
}

function bound<T extends Rect>(branch: Branch<T>, entries: readonly Rect[]): void {
  const [first] = entries;
  if (first === undefined) return;
  [branch.x1, branch.x2, branch.y1, branch.y2] = [first.x1, first.x2, first.y1, first.y2];
  for (const entry of entries) extend(branch, entry);
}

function extend<T extends Rect>(branch: Branch<T>, entry: Rect): void {
  if (entry.x1 < branch.x1) branch.x1 = entry.x1;
  if (entry.x2 > branch.x2) branch.x2 = entry.x2;
  if (entry.y1 < branch.y1) branch.y1 = entry.y1;
  if (entry.y2 > branch.y2) branch.y2 = entry.y2;
}

const byX = (a: Rect, b: Rect): number => compareCoords(a.x1, b.x1) || compareCoords(a.x2, b.x2);
const byY = (a: Rect, b: Rect): number => a.y1 - b.y1 || a.y2 - b.y2;

/** Sort-tile-recursive packing: strips along x, tiles along y within each. */
function tile<E extends Rect>(entries: readonly E[]): E[][] {
  const strips = Math.ceil(Math.sqrt(Math.ceil(entries.length / fanout)));
  const perStrip = Math.ceil(entries.length / strips / fanout) * fanout;
  const sorted = [...entries].sort(byX);
  const tiles: E[][] = [];
  for (let start = 0; start < sorted.length; start += perStrip) {
    const strip = sorted.slice(start, start + perStrip).sort(byY);
    for (let at = 0; at < strip.length; at += fanout) tiles.push(strip.slice(at, at + fanout));
  }
  return tiles;
}

function pack<T extends Rect>(items: readonly T[]): Branch<T> {
  if (items.length <= fanout) return leafOf([...items]);
  let level = tile(items).map(leafOf);
  while (level.length > 1) level = tile(level).map(branchOf);
  const [root] = level;
  return root ?? leafOf([]);
}

/** Sizes as doubles: they only steer where an item goes, so their rounding harms nothing. */
function area(x1: Coord, x2: Coord, y1: number, y2: number): number {
  return (Number(x2) - Number(x1) + 1) * (y2 - y1 + 1);
}

function growth<T extends Rect>(branch: Branch<T>, item: Rect): number {
  const grown = area(
    item.x1 < branch.x1 ? item.x1 : branch.x1,
    item.x2 > branch.x2 ? item.x2 : branch.x2,
    Math.min(item.y1, branch.y1),
    Math.max(item.y2, branch.y2),
  );
  return grown - area(branch.x1, branch.x2, branch.y1, branch.y2);
}

function best<T extends Rect>(branches: readonly Branch<T>[], item: Rect): Branch<T> | undefined {
  let found: Branch<T> | undefined;
  let least = Infinity;
  for (const branch of branches) {
    const needed = growth(branch, item);
    if (found === undefined || needed < least) [found, least] = [branch, needed];
  }
  return found;
}

/** Returns the new sibling if the branch had to be split. */
function insertBelow<T extends Rect>(branch: Branch<T>, item: T): Branch<T> | undefined {
  if (branch.branches === undefined) {
    branch.items.push(item);
    if (branch.items.length <= fanout) {
      if (branch.items.length === 1) bound(branch, branch.items);
      else extend(branch, item);
      return undefined;
    }
    return split(branch, branch.items, leafOf);
  }
  const below = best(branch.branches, item);
  if (below === undefined) throw new Error('a branch without entries');
  const sibling = insertBelow(below, item);
  extend(branch, item);
  if (sibling === undefined) return undefined;
  branch.branches.push(sibling);
  return branch.branches.length <= fanout ? undefined : split(branch, branch.branches, branchOf);
}

/** Cuts at the middle of the axis on which the two halves overlap less. */
function split<T extends Rect, E extends Rect>(
  branch: Branch<T>,
  entries: E[],
  make: (entries: E[]) => Branch<T>,
): Branch<T> {
  const half = entries.length >> 1;
  const halves = (order: (a: E, b: E) => number): { first: E[]; second: E[]; cost: number } => {
    const sorted = [...entries].sort(order);
    const [first, second] = [sorted.slice(0, half), sorted.slice(half)];
    const [a, b] = [make([...first]), make([...second])];
    const shared =
      Math.max(0, Number(a.x2 < b.x2 ? a.x2 : b.x2) - Number(a.x1 > b.x1 ? a.x1 : b.x1) + 1) *
      Math.max(0, Math.min(a.y2, b.y2) - Math.max(a.y1, b.y1) + 1);
    return { first, second, cost: shared };
  };
  const [alongX, alongY] = [halves(byX), halves(byY)];
  const chosen = alongY.cost < alongX.cost ? alongY : alongX;
  entries.splice(0, entries.length, ...chosen.first);
  bound(branch, entries);
  return make(chosen.second);
}

function removeBelow<T extends Rect>(branch: Branch<T>, item: T): boolean {
  if (branch.branches === undefined) {
    const index = branch.items.indexOf(item);
    if (index < 0) return false;
    branch.items.splice(index, 1);
    bound(branch, branch.items);
    return true;
  }
  for (const [index, below] of branch.branches.entries()) {
    if (!covers(below, item) || !removeBelow(below, item)) continue;
    if ((below.branches ?? below.items).length === 0) branch.branches.splice(index, 1);
    bound(branch, branch.branches);
    return true;
  }
  return false;
}
