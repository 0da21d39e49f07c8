import { expect } from 'chai';
import { quantile, rowsOf } from '../../../scripts/bench/statistics.js';

describe('bench statistics', () => {
  it('takes the median of an odd and of an even number of values, in whatever order', () => {
    expect(quantile([5, 1, 3], 0.5)).to.equal(3);
    expect(quantile([4, 1, 3, 2], 0.5)).to.equal(2.5);
    expect(quantile([], 0.5)).to.be.NaN;
  });

  it('gives ratios to the baseline of the same run, and refuses a baseline that was not measured', () => {
    const rows = rowsOf([
      { name: 'plain', unit: 'ms', values: [1, 2, 3] },
      { name: 'filtered', unit: 'ms', values: [4], baseline: 'plain' },
    ]);
    expect(rows.map(({ ratio }) => ratio)).to.deep.equal([undefined, 2]);
    expect(() => rowsOf([{ name: 'x', unit: 'ms', values: [1], baseline: 'y' }])).to.throw('not measured');
  });
});
