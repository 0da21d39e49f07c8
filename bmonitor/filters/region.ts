import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Refused, type Result } from '../../protocol/result.js';
import { addressMax } from './address.js';
import { passes, type TrafficClass } from './boxes.js';
import { compileSet, peerCoord } from './compile.js';
import {
  directions,
  families,
  type Direction,
  type Family,
  type NormalSet,
  type ServiceRange,
} from './model.js';
import { mergeServices } from './normalise.js';
import { anyService } from './protocols.js';
import { RectIndex } from './rect-index.js';
import { after, before, common, compareCoords, subtract, type Coord, type Rect } from './rects.js';

/** All that passes in one class, as disjoint rectangles by direction and family: what clamp and diff calculate with. */
export interface Plane {
  readonly direction: Direction;
  readonly family: Family;
}

export const planes: readonly Plane[] = directions.flatMap((direction) =>
  families.map((family) => ({ direction, family })),
);

/** Counts rectangles made, so that sets made to shatter each other cannot hold up the node. Once spent, regions are empty and of no use. */
export class RegionEffort {
  #left: number = limits.region_rectangles_max;

  get spent(): boolean {
    return this.#left < 0;
  }

  /** The list itself, or nothing once too many were made. */
  take<T>(list: readonly T[]): readonly T[] {
    // Cutting many out of one takes longer than there are of them, at worst by their square.
    this.#left -= 1 + list.length + Math.floor((list.length * list.length) / 256);
    return this.spent ? [] : list;
  }
}

export function tooComplex(): Refused {
  return refuse(
    'filters-too-complex',
    `what these sets let through falls into more than ${limits.region_rectangles_max} pieces`,
  );
}

export class Region {
  readonly #planes = new Map<string, RectIndex<Rect>>();

  constructor(rectsOf: (plane: Plane) => readonly Rect[]) {
    for (const plane of planes) this.#planes.set(keyOf(plane), new RectIndex(rectsOf(plane)));
  }

  #index(plane: Plane): RectIndex<Rect> {
    const index = this.#planes.get(keyOf(plane));
    if (index === undefined) throw new Error('a region without a plane');
    return index;
  }

  rects(plane: Plane): readonly Rect[] {
    return this.#index(plane).all(world(plane.family));
  }

  /** The parts of a rectangle that lie in this region. */
  within(plane: Plane, rect: Rect, effort: RegionEffort): readonly Rect[] {
    if (effort.spent) return [];
    return effort.take(this.#index(plane).all(rect)).map((other) => common(rect, other));
  }

  /** The parts of a rectangle that lie outside it. */
  without(plane: Plane, rect: Rect, effort: RegionEffort): readonly Rect[] {
    if (effort.spent) return [];
    return effort.take(subtract(rect, effort.take(this.#index(plane).all(rect))));
  }

  and(other: Region, effort: RegionEffort): Region {
    return new Region((plane) => this.rects(plane).flatMap((rect) => other.within(plane, rect, effort)));
  }

  minus(other: Region, effort: RegionEffort): Region {
    return new Region((plane) =>
      coalesce(this.rects(plane).flatMap((rect) => other.without(plane, rect, effort))),
    );
  }
}

function keyOf(plane: Plane): string {
  return `${plane.direction}${plane.family}`;
}

export function world(family: Family): Rect {
  return {
    x1: peerCoord(family, 0n),
    x2: peerCoord(family, addressMax[family]),
    y1: anyService.lo,
    y2: anyService.hi,
  };
}

export type Passing = Readonly<Record<TrafficClass, Region>>;

/** What all these levels let through together. */
export function passingTogether(levels: readonly NormalSet[], effort = new RegionEffort()): Result<Passing> {
  let together: Passing | undefined;
  for (const level of levels) {
    const passed = passing(level);
    if (!passed.ok) return passed;
    together =
      together === undefined
        ? passed.value
        : {
            twoway: together.twoway.and(passed.value.twoway, effort),
            oneway: together.oneway.and(passed.value.oneway, effort),
          };
  }
  if (together === undefined) throw new Error('there is no level');
  return effort.spent ? tooComplex() : ok(together);
}

/** What a set passes, class by class, as it is enforced: with its `otherwise`. */
export function passing(set: NormalSet): Result<Passing> {
  const compiled = compileSet(set);
  if (!compiled.ok) return compiled;
  const region = (traffic: TrafficClass): Region =>
    new Region((plane) => {
      const here = compiled.value.boxes.filter(
        (box) => box.direction === plane.direction && box.family === plane.family,
      );
      const inherits = set.otherwise === 'inherit';
      const rects = here
        .filter((box) => passes(box.verdict, traffic, set.otherwise) !== inherits)
        .map((box) => ({
          x1: peerCoord(plane.family, box.lo),
          x2: peerCoord(plane.family, box.hi),
          y1: box.services.lo,
          y2: box.services.hi,
        }));
      return inherits ? subtract(world(plane.family), rects) : coalesce(rects);
    });
  return ok({ twoway: region('twoway'), oneway: region('oneway') });
}

export interface Slab {
  readonly x1: Coord;
  readonly x2: Coord;
  readonly services: readonly ServiceRange[];
}

/** The same area as stretches of peers that share no peer, each with all its services. */
export function slabs(rects: readonly Rect[]): readonly Slab[] {
  const stops = rects.flatMap((rect) => [rect.x1, after(rect.x2)]).sort(compareCoords);
  const index = new RectIndex(rects);
  const list: Slab[] = [];
  for (const [at, x1] of stops.entries()) {
    const next = stops[at + 1];
    if (next === undefined || next === x1) continue;
    const here = index.all({ x1, x2: x1, y1: anyService.lo, y2: anyService.hi });
    const services = mergeServices(here.map((rect) => ({ lo: rect.y1, hi: rect.y2 })));
    const last = list.at(-1);
    if (services.length === 0) continue;
    if (last !== undefined && after(last.x2) === x1 && alike(last.services, services))
      list[list.length - 1] = { ...last, x2: before(next) };
    else list.push({ x1, x2: before(next), services });
  }
  return list;
}

function alike(a: readonly ServiceRange[], b: readonly ServiceRange[]): boolean {
  return (
    a.length === b.length && a.every((range, index) => range.lo === b[index]?.lo && range.hi === b[index]?.hi)
  );
}

/** Joins disjoint rectangles that meet side by side, until none do. The area stays the same. */
export function coalesce(rects: readonly Rect[]): readonly Rect[] {
  let list = [...rects];
  for (let size = Infinity; list.length < size;) {
    size = list.length;
    list = joined(
      list.sort((a, b) => a.y1 - b.y1 || a.y2 - b.y2 || compareCoords(a.x1, b.x1)),
      (a, b) => a.y1 === b.y1 && a.y2 === b.y2 && after(a.x2) === b.x1,
    );
    list = joined(
      list.sort((a, b) => compareCoords(a.x1, b.x1) || compareCoords(a.x2, b.x2) || a.y1 - b.y1),
      (a, b) => a.x1 === b.x1 && a.x2 === b.x2 && a.y2 + 1 === b.y1,
    );
  }
  return list;
}

function joined(sorted: readonly Rect[], meet: (a: Rect, b: Rect) => boolean): Rect[] {
  const list: Rect[] = [];
  for (const rect of sorted) {
    const last = list.at(-1);
    if (last !== undefined && meet(last, rect)) list[list.length - 1] = { ...last, x2: rect.x2, y2: rect.y2 };
    else list.push(rect);
  }
  return list;
}
