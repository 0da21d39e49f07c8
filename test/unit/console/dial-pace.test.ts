import { expect } from 'chai';
import { DialPace } from '../../../console/nodes/dial-pace.js';

describe('the pace of a console that dials its nodes', () => {
  it('lets few go at once, and makes many wait so that no more go in a second than may', () => {
    let now = 0;
    const pace = new DialPace(400, () => now);
    expect(pace.wait_ms()).to.equal(0);
    const waits = Array.from({ length: 10_000 }, () => pace.wait_ms());
    expect(waits).to.deep.equal(waits.toSorted((a, b) => a - b));
    for (let second = 1; second < 25; second += 1)
      expect(
        waits.filter((wait) => wait >= second * 1000 && wait < second * 1000 + 1000).length,
      ).to.be.within(396, 404);
    now = 60_000;
    expect(pace.wait_ms()).to.equal(0);
  });
});
