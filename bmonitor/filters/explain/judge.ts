import { passes, type Box, type LevelBoxes, type TrafficClass } from '../boxes.js';
import { peerCoord } from '../compile.js';
import type { Direction, Family } from '../model.js';
import { planes } from '../region.js';
import { RectIndex } from '../rect-index.js';
import type { Rect } from '../rects.js';

/** What all levels together say of a point, and who says it. */
export interface Judgement {
  readonly passes: boolean;
  readonly level: number | null;
  readonly filter: number | null;
  readonly reason: string;
}

/** Both classes of one point. */
export interface PointJudgement {
  readonly twoway: Judgement;
  readonly oneway: Judgement;
}

interface BoxRect extends Rect {
  readonly box: Box;
}

interface Level {
  readonly boxes: LevelBoxes;
  readonly planes: ReadonlyMap<string, RectIndex<BoxRect>>;
}

export class Judge {
  readonly #levels: readonly Level[];

  constructor(levels: readonly LevelBoxes[]) {
    this.#levels = levels.map((boxes) => ({
      boxes,
      planes: new Map(
        planes.map(({ direction, family }) => [
          `${direction}${family}`,
          new RectIndex(
            boxes.boxes.flatMap((box): BoxRect[] =>
              box.direction === direction && box.family === family ? [rectOf(box)] : [],
            ),
          ),
        ]),
      ),
    }));
  }

  at(direction: Direction, family: Family, peer: bigint, service: number): PointJudgement {
    const found = this.#levels.map(
      ({ planes }) => planes.get(`${direction}${family}`)?.at(peerCoord(family, peer), service)?.box,
    );
    return { twoway: this.#sum(found, 'twoway'), oneway: this.#sum(found, 'oneway') };
  }

  /** The first level that refuses, or the last that has a filter for it. */
  #sum(found: readonly (Box | undefined)[], traffic: TrafficClass): Judgement {
    let allowing: { level: number; filter: number } | undefined;
    for (const [level, box] of found.entries()) {
      const otherwise = this.#levels[level]?.boxes.otherwise ?? 'deny';
      if (!passes(box?.verdict, traffic, otherwise)) return refusing(level, box);
      if (box !== undefined) allowing = { level, filter: box.filter };
    }
    if (allowing === undefined)
      return { passes: found.length > 0, level: null, filter: null, reason: 'no level has a filter for it' };
    const { level, filter } = allowing;
    return { passes: true, level, filter, reason: `allowed by filters[${filter}] of level ${level}` };
  }
}

function refusing(level: number, box: Box | undefined): Judgement {
  const refused = { passes: false, level, filter: box?.filter ?? null };
  if (box === undefined) return { ...refused, reason: `no filter of level ${level} allows it` };
  if (box.verdict === 'deny')
    return { ...refused, reason: `denied by filters[${box.filter}] of level ${level}` };
  return { ...refused, reason: `filters[${box.filter}] of level ${level} allows it one way only` };
}

function rectOf(box: Box): BoxRect {
  return {
    x1: peerCoord(box.family, box.lo),
    x2: peerCoord(box.family, box.hi),
    y1: box.services.lo,
    y2: box.services.hi,
    box,
  };
}
