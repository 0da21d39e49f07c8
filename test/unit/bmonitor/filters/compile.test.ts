import { assert } from 'chai';
import * as fc from 'fast-check';
import type { Box } from '../../../../bmonitor/filters/boxes.js';
import { compileSet, LevelCompiler } from '../../../../bmonitor/filters/compile.js';
import type { FilterSet } from '../../../../bmonitor/filters/model.js';
import { servicePoint } from '../../../../bmonitor/filters/protocols.js';
import { filterArbitrary, judge, normal, numberOf, points, setArbitrary, type Point } from './sets.js';

function compiled(set: FilterSet): readonly Box[] {
  const result = compileSet(normal(set));
  if (!result.ok) throw new Error(result.refusal.detail);
  return result.value.boxes;
}

function boxesAt(boxes: readonly Box[], point: Point): readonly Box[] {
  const peer = numberOf(point.peer);
  const service = servicePoint(point.protocol, point.port);
  return boxes.filter(
    (box) =>
      box.direction === point.direction &&
      box.family === point.family &&
      box.lo <= peer &&
      box.hi >= peer &&
      box.services.lo <= service &&
      box.services.hi >= service,
  );
}

function textOf(box: Box): string {
  return [
    box.direction,
    box.family,
    box.lo,
    box.hi,
    box.services.lo,
    box.services.hi,
    box.verdict,
    box.filter,
  ].join(' ');
}

describe('compiling a filter set to boxes', () => {
  it('gives at every point at most one box, with the verdict and the filter that the words of the set give', () => {
    fc.assert(
      fc.property(setArbitrary(8), (set) => {
        const boxes = compiled(set);
        for (const point of points()) {
          const found = boxesAt(boxes, point);
          const expected = judge(set, point);
          const place = JSON.stringify(point);
          assert.isAtMost(found.length, 1, place);
          assert.deepEqual(
            found[0] === undefined ? undefined : { verdict: found[0].verdict, filter: found[0].filter },
            expected,
            place,
          );
        }
      }),
      { numRuns: 25 },
    );
  });

  it('gives boxes that do not overlap', () => {
    fc.assert(
      fc.property(setArbitrary(12), (set) => {
        const boxes = compiled(set);
        for (const [index, a] of boxes.entries())
          for (const b of boxes.slice(index + 1))
            assert.isFalse(
              a.direction === b.direction &&
                a.family === b.family &&
                a.lo <= b.hi &&
                b.lo <= a.hi &&
                a.services.lo <= b.services.hi &&
                b.services.lo <= a.services.hi,
              `${textOf(a)} / ${textOf(b)}`,
            );
      }),
    );
  });

  it('follows filters that come and go, and ends with the boxes of the set that is left', () => {
    const steps = fc.array(fc.tuple(fc.boolean(), fc.nat({ max: 9 }), filterArbitrary), { maxLength: 30 });
    fc.assert(
      fc.property(steps, (list) => {
        const empty = LevelCompiler.from([]);
        if (!empty.ok) throw new Error(empty.refusal.detail);
        const level = empty.value;
        const sent = new Map<string, Box>();
        const inside = new Map<number, ReturnType<typeof normal>['filters'][number]>();
        for (const [, id, filter] of list) {
          const numbered = normal({ otherwise: 'deny', filters: [filter] }).filters.map((one) => ({
            ...one,
            id,
          }));
          const [one] = numbered;
          if (one === undefined) continue;
          const change = inside.has(id) ? level.remove(id) : level.add(one);
          if (!change.ok) throw new Error(change.refusal.detail);
          for (const box of change.value.removed)
            assert.isTrue(sent.delete(textOf(box)), 'removes only what is there');
          for (const box of change.value.added) {
            assert.isFalse(sent.has(textOf(box)), 'adds only what is not there');
            sent.set(textOf(box), box);
          }
          if (!inside.delete(id)) inside.set(id, one);
        }
        const whole = compileSet({ otherwise: 'deny', onRefuse: 'drop', filters: [...inside.values()] });
        if (!whole.ok) throw new Error(whole.refusal.detail);
        assert.deepEqual([...sent.keys()].sort(), whole.value.boxes.map(textOf).sort());
        assert.deepEqual([...level.boxes()].map(textOf).sort(), whole.value.boxes.map(textOf).sort());
      }),
      { numRuns: 200 },
    );
  });

  it('refuses a set whose filters cross each other so often that their boxes would fill the memory', () => {
    const filters = Array.from({ length: 1500 }, (_, index) => [
      { action: 'deny' as const, peers: [`10.${index >> 7}.${(index & 127) * 2}.1`] },
      { action: 'allow' as const, protocol: 'tcp', ports: [index * 2] },
    ]).flat();
    const result = compileSet(normal({ otherwise: 'deny', filters }));
    assert.isFalse(result.ok);
    assert.equal(result.ok ? '' : result.refusal.code, 'filters-too-complex');
  });
});
