import { expect } from 'chai';
import * as fc from 'fast-check';
import { LayeredMap } from '../../../../../bmonitor/filters/nft/layered.js';

const keys = fc.array(fc.integer({ min: 0, max: 40 }).map(String), { maxLength: 12 });
const entries = fc.array(fc.tuple(fc.integer({ min: 0, max: 40 }).map(String), fc.constantFrom('a', 'b')), {
  maxLength: 12,
});

const sorted = (map: ReadonlyMap<string, string>): readonly (readonly [string, string])[] =>
  [...map].sort(([a], [b]) => (a < b ? -1 : 1));

describe('a map with changes laid over it', () => {
  it('is what a map would be that was changed, and leaves those it came from as they were', () => {
    fc.assert(
      fc.property(entries, fc.array(fc.tuple(keys, entries), { maxLength: 60 }), (first, steps) => {
        let map: ReadonlyMap<string, string> = new Map(first);
        const plain = new Map(first);
        const kept: [ReadonlyMap<string, string>, string][] = [];
        for (const [removed, added] of steps) {
          kept.push([map, JSON.stringify(sorted(map))]);
          map = LayeredMap.of(map, removed, added);
          for (const key of removed) plain.delete(key);
          for (const [key, value] of added) plain.set(key, value);
          expect(sorted(map)).to.deep.equal(sorted(plain));
          expect(map.size).to.equal(plain.size);
          for (let key = 0; key <= 40; key++) expect(map.get(String(key))).to.equal(plain.get(String(key)));
        }
        for (const [earlier, text] of kept) expect(JSON.stringify(sorted(earlier))).to.equal(text);
      }),
      { numRuns: 100 },
    );
  });

  it('does not grow without end', () => {
    let map: ReadonlyMap<string, string> = new Map();
    for (let at = 0; at < 1000; at++) map = LayeredMap.of(map, [String(at - 500)], [[String(at), 'a']]);
    expect(map.size).to.equal(500);
  });
});
