import { expect } from 'chai';
import * as fc from 'fast-check';
import { parseNames } from '../../../../bmonitor/filters/parse.js';
import { addressesIn } from '../../../../console/filters/push.js';
import { boundariesOf, type Plan } from '../../../../console-cluster/clusters/compute.js';
import { asRanges } from '../../../../console-cluster/clusters/ranges.js';
import type { Exception } from '../../../../console-cluster/clusters/record.js';

const dotted = (number: number): string => [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.');

describe('addresses of a cluster as ranges', () => {
  it('say the same addresses, each once, whatever they are', () => {
    const address = fc.integer({ min: 0x0a_00_00_f0, max: 0x0a_00_01_10 });
    fc.assert(
      fc.property(fc.array(address, { maxLength: 60 }), (numbers) => {
        const ranges = asRanges(numbers.map(dotted));
        const spread = ranges.flatMap((one) => {
          const [from = 0, to = from] = one
            .split('-')
            .map((text) => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0));
          return Array.from({ length: to - from + 1 }, (_, at) => from + at);
        });
        expect(spread).to.deep.equal([...new Set(numbers)].toSorted((a, b) => a - b));
        expect(parseNames({ 'cluster:a': ranges }).ok).to.equal(true);
      }),
    );
  });

  it('join what follows each other over the borders of networks, and leave the rest as it is', () => {
    const given = [
      '10.0.1.0',
      '10.0.0.255',
      '10.0.0.254',
      '10.9.9.9',
      'fd00::2',
      'fd00::1',
      '10.9.9.9',
      '10.9.9.8',
    ];
    expect(asRanges(given)).to.deep.equal([
      '10.0.0.254-10.0.1.0',
      '10.9.9.8',
      '10.9.9.9',
      'fd00::1',
      'fd00::2',
    ]);
  });
});

describe('the addresses that a node says it has', () => {
  it('are taken when one machine can have them, and passed over when they are everybody’s, a group’s or none', () => {
    const good = ['10.0.0.7', '192.0.2.255', '2001:db8::7', 'fe80::1', 'fd00::1'];
    const bad = ['0.0.0.0', '0.1.2.3', '127.0.0.1', '224.0.0.1', '255.255.255.255', '::', '::1', 'ff02::1'];
    const worse = [
      '::ffff:10.0.0.7',
      'fe80::1%eth0',
      '10.0.0.0/8',
      '10.0.0.1-10.0.0.9',
      'cluster:a',
      '',
      'web',
      7,
      null,
    ];
    const status = { addresses: [...good, ...bad, ...worse] };
    expect(addressesIn({ status })).to.deep.equal(good.toSorted());
    expect(addressesIn({ status: { addresses: bad } })).to.deep.equal([]);
    expect(addressesIn({ status: {} })).to.equal(undefined);
  });
});

describe('the boundaries of all nodes', () => {
  const exception: Exception = {
    from: { kind: 'node', name: 'a-1' },
    to: { kind: 'cluster', name: 'b' },
    both: 'no',
    reason: 'a try',
    madeBy: 'mara',
    made: 0,
  };
  const plan: Plan = {
    clusters: new Map([
      ['a', { members: ['a-1', 'a-2', 'a-3'] }],
      ['b', { members: ['b-1'] }],
    ]),
    exceptions: new Map([['x', exception]]),
    addresses: new Map([
      ['a-1', ['10.0.0.1']],
      ['a-2', ['10.0.0.2']],
      ['b-1', ['10.0.9.1']],
    ]),
  };

  it('are the same for all members of a cluster but those that an exception names', () => {
    const found = boundariesOf(plan, 1);
    expect(found.get('a-2')).to.equal(found.get('a-3'));
    expect(found.get('a-1')?.digest).not.to.equal(found.get('a-2')?.digest);
    expect(found.get('a-1')?.names).to.deep.equal({
      'cluster:a': ['10.0.0.1', '10.0.0.2'],
      'cluster:b': ['10.0.9.1'],
    });
    expect(found.get('a-2')?.names).to.deep.equal({ 'cluster:a': ['10.0.0.1', '10.0.0.2'] });
    expect(found.get('b-1')?.set.filters.map(({ note }) => note)).to.deep.equal(['cluster b', 'exception x']);
  });
});
