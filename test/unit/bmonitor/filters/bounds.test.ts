import { assert } from 'chai';
import * as fc from 'fast-check';
import { Bounds } from '../../../../bmonitor/filters/bounds.js';
import { meets } from '../../../../bmonitor/filters/touch.js';
import { filterArbitrary, normal } from './sets.js';

describe('the boxes around filters', () => {
  it('never miss two filters that share a point', () => {
    let met = 0;
    let spared = 0;
    fc.assert(
      fc.property(fc.array(filterArbitrary, { minLength: 2, maxLength: 8 }), (list) => {
        const { filters } = normal({ otherwise: 'deny', filters: list });
        const bounds = new Bounds(filters);
        for (const [at, one] of filters.entries())
          for (const [other, two] of filters.entries()) {
            const may = bounds.mayMeet(at, bounds, other);
            if (meets(one, [two])) {
              met++;
              assert.isTrue(may);
            } else if (!may) spared++;
          }
      }),
      { numRuns: 500 },
    );
    assert.isAbove(met, 100);
    assert.isAbove(spared, 100);
  });
});
