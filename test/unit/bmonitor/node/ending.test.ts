import { expect } from 'chai';
import type { NodeEvent } from '../../../../bmonitor/node/decision.js';
import { EndingTeller } from '../../../../bmonitor/node/ending.js';
import type { NodeState } from '../../../../bmonitor/node/state.js';
import { limits } from '../../../../protocol/limits.js';

describe('a lease that ends soon', () => {
  const chain = (until_s: number, status = 'active'): NodeState =>
    ({
      levels: [
        { lease: 'landlord', status: 'active' },
        { lease: 'tenant', status, term: { until_s, destroyAfter_s: 0 } },
      ],
    }) as unknown as NodeState;

  it('is told once to the whole chain, a day before, and again when its end was moved', () => {
    const told: NodeEvent[] = [];
    const teller = new EndingTeller((event) => told.push(event));
    const until = 2_000_000;
    teller.tick(chain(until), until - limits.lease_ending_s - 1);
    expect(told).to.deep.equal([]);
    teller.tick(chain(until), until - limits.lease_ending_s);
    teller.tick(chain(until), until - 1);
    expect(told).to.deep.equal([{ to: [0, 1], kind: 'lease.ending', fields: { lease: 'tenant', until } }]);
    teller.tick(chain(until + 10), until);
    expect(told.map(({ fields }) => fields['until'])).to.deep.equal([until, until + 10]);
  });

  it('is not told of one that is dark', () => {
    const told: NodeEvent[] = [];
    new EndingTeller((event) => told.push(event)).tick(chain(10, 'dark'), 20);
    expect(told).to.deep.equal([]);
  });
});
