/**
 * Rectangles: peers on the x axis, services on the y axis, both ends inclusive. IPv4 peers are plain numbers, because
 * they are several times faster; IPv6 peers are bigint. One plane never mixes the two.
 */
export type Coord = number | bigint;

export interface Rect {
  readonly x1: Coord;
  readonly x2: Coord;
  readonly y1: number;
  readonly y2: number;
}

export function after(coord: Coord): Coord {
  return typeof coord === 'number' ? coord + 1 : coord + 1n;
}

export function before(coord: Coord): Coord {
  return typeof coord === 'number' ? coord - 1 : coord - 1n;
}

export function compareCoords(a: Coord, b: Coord): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function overlap(a: Rect, b: Rect): boolean {
  return a.x1 <= b.x2 && b.x1 <= a.x2 && a.y1 <= b.y2 && b.y1 <= a.y2;
}

export function covers(outer: Rect, inner: Rect): boolean {
  return outer.x1 <= inner.x1 && outer.x2 >= inner.x2 && outer.y1 <= inner.y1 && outer.y2 >= inner.y2;
}

/** What two overlapping rectangles have in common. */
export function common(a: Rect, b: Rect): Rect {
  return {
    x1: a.x1 > b.x1 ? a.x1 : b.x1,
    x2: a.x2 < b.x2 ? a.x2 : b.x2,
    y1: Math.max(a.y1, b.y1),
    y2: Math.min(a.y2, b.y2),
  };
}

interface Gap {
  readonly y1: number;
  readonly y2: number;
  /** Where it began on the x axis. */
  readonly since: Coord;
}

/** What the holes, sorted by y1, leave of y1..y2. */
function gapsBetween(holes: readonly Rect[], y1: number, y2: number, since: Coord): Gap[] {
  const gaps: Gap[] = [];
  let next = y1;
  for (const hole of holes) {
    if (hole.y1 > next) gaps.push({ y1: next, y2: hole.y1 - 1, since });
    if (hole.y2 >= next) next = hole.y2 + 1;
    if (next > y2) return gaps;
  }
  gaps.push({ y1: next, y2, since });
  return gaps;
}

function insertByY(holes: Rect[], hole: Rect): void {
  let low = 0;
  let high = holes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const at = holes[middle];
    if (at !== undefined && at.y1 < hole.y1) low = middle + 1;
    else high = middle;
  }
  holes.splice(low, 0, hole);
}

/** Closes the gaps that end before `x` and lets the others go on with the place where they began. */
function follow(open: readonly Gap[], now: readonly Gap[], x: Coord, emit: (rect: Rect) => void): Gap[] {
  const next: Gap[] = [];
  let index = 0;
  const close = (gap: Gap): void => emit({ x1: gap.since, x2: before(x), y1: gap.y1, y2: gap.y2 });
  for (const gap of now) {
    let old = open[index];
    while (old !== undefined && old.y1 < gap.y1) {
      close(old);
      old = open[++index];
    }
    if (old !== undefined && old.y1 === gap.y1 && old.y2 === gap.y2) {
      next.push(old);
      index++;
    } else next.push(gap);
  }
  for (const old of open.slice(index)) close(old);
  return next;
}

/**
 * What is left of `whole` when `holes` are cut out, as disjoint rectangles, by a sweep along the peers. The result
 * depends only on the area of the holes within each stretch of peers, not on their order.
 */
export function subtract(whole: Rect, holes: readonly Rect[]): readonly Rect[] {
  const inside = holes.filter((hole) => overlap(whole, hole));
  if (inside.length === 0) return [whole];
  if (inside.some((hole) => covers(hole, whole))) return [];
  const starting = inside.sort((a, b) => compareCoords(a.x1, b.x1));
  const stops = [whole.x1];
  for (const hole of starting) {
    if (hole.x1 > whole.x1) stops.push(hole.x1);
    if (hole.x2 < whole.x2) stops.push(after(hole.x2));
  }
  stops.sort(compareCoords);
  const rects: Rect[] = [];
  const emit = (rect: Rect): void => void rects.push(rect);
  let active: Rect[] = [];
  let open: Gap[] = [];
  let next = 0;
  let last: Coord | undefined;
  for (const x of stops) {
    if (x === last) continue;
    last = x;
    active = active.filter((hole) => hole.x2 >= x);
    for (let hole = starting[next]; hole !== undefined && hole.x1 <= x; hole = starting[++next])
      if (hole.x2 >= x) insertByY(active, hole);
    open = follow(open, gapsBetween(active, whole.y1, whole.y2, x), x, emit);
  }
  follow(open, [], after(whole.x2), emit);
  return rects;
}
