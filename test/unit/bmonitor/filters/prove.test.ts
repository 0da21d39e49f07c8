import { assert } from 'chai';
import * as fc from 'fast-check';
import { passes, type TrafficClass } from '../../../../bmonitor/filters/boxes.js';
import type { Filter, FilterSet } from '../../../../bmonitor/filters/model.js';
import { prove, type Exceeds, type Proof } from '../../../../bmonitor/filters/prove.js';
import { judge, matches, normal, points, setArbitrary, type Point } from './sets.js';

const classes: readonly TrafficClass[] = ['twoway', 'oneway'];

/** The slow way: every point of the world, every filter, in the words of README.md. */
function exceedsAt(
  inner: FilterSet,
  outers: readonly FilterSet[],
  point: Point,
  traffic: TrafficClass,
): boolean {
  const wanted = passes(judge(inner, point)?.verdict, traffic, 'deny');
  return wanted && !outers.every((outer) => passes(judge(outer, point)?.verdict, traffic, outer.otherwise));
}

function within(inner: FilterSet, outers: readonly FilterSet[]): boolean {
  for (const point of points())
    for (const traffic of classes) if (exceedsAt(inner, outers, point, traffic)) return false;
  return true;
}

/** Those that the sets name, and the one that comes next to what they name. */
const numbers: Readonly<Record<string, number>> = {
  tcp: 6,
  udp: 17,
  gre: 47,
  icmpv6: 58,
  icmp: 1,
  igmp: 2,
};

function pointOf(proof: Exceeds): Point {
  const { direction, peer, protocol, port } = proof.witness;
  const family = peer.includes(':') ? 6 : 4;
  const number = typeof protocol === 'number' ? protocol : numbers[protocol];
  const real = protocol === 'icmp' && family === 6 ? 58 : number;
  if (real === undefined) throw new Error(`unexpected protocol ${protocol}`);
  return { direction, family, peer, protocol: real, port: port ?? 0 };
}

function check(inner: readonly Filter[], outer: readonly Filter[]): Proof {
  return prove(normal({ otherwise: 'inherit', filters: inner }), [
    normal({ otherwise: 'deny', filters: outer }),
  ]);
}

describe('the proof that a lower set lies within those above', () => {
  it('agrees with an oracle that tries every point, and its witness is one that the oracle refuses', () => {
    let refused = 0;
    fc.assert(
      fc.property(
        setArbitrary(5),
        fc.array(setArbitrary(6), { minLength: 1, maxLength: 2 }),
        (inner, outers) => {
          const proof = prove(
            normal(inner),
            outers.map((outer) => normal(outer)),
          );
          assert.equal(proof.within, within(inner, outers));
          if (proof.within) return;
          refused++;
          const point = pointOf(proof);
          assert.isTrue(exceedsAt(inner, outers, point, proof.witness.oneway ? 'oneway' : 'twoway'));
          const outer = outers[proof.level];
          assert.isDefined(outer);
          if (outer === undefined) return;
          const indexes = (set: FilterSet, wanted: (filter: Filter) => boolean): number[] =>
            [...set.filters.keys()].filter((index) => {
              const filter = set.filters[index];
              return filter !== undefined && wanted(filter) && matches(filter, point);
            });
          const counts = (filter: Filter): boolean => proof.witness.oneway || filter.oneway !== true;
          assert.deepEqual(
            proof.inner,
            indexes(inner, (filter) => filter.action === 'allow' && counts(filter)),
          );
          assert.deepEqual(
            proof.outer,
            indexes(outer, (filter) => filter.action === 'deny'),
          );
        },
      ),
      { numRuns: 150 },
    );
    assert.isAbove(refused, 10);
  });

  it('accepts any set within itself, and itself with a deny more', () => {
    fc.assert(
      fc.property(setArbitrary(6), (set) => {
        assert.isTrue(prove(normal(set), [normal({ ...set, otherwise: 'deny' })]).within);
      }),
    );
  });

  it('names the packet and the filters on both sides', () => {
    const outer: Filter[] = [
      { action: 'allow', direction: 'in', peers: ['10.0.0.0/24'], protocol: 'tcp', ports: ['1-1024'] },
      { action: 'deny', peers: ['10.0.0.9'] },
    ];
    assert.deepEqual(
      check([{ action: 'allow', direction: 'in', peers: ['10.0.0.8/30'], service: 'http' }], outer),
      {
        within: false,
        witness: { direction: 'in', peer: '10.0.0.9', protocol: 'tcp', port: 80, oneway: false },
        inner: [0],
        level: 0,
        outer: [1],
      },
    );
  });

  it('refuses a two-way allow where only one way is allowed above, also if both ways are', () => {
    const one = (direction: 'in' | 'out'): Filter => ({
      action: 'allow',
      direction,
      peers: ['10.0.0.1'],
      oneway: true,
    });
    const both: Filter[] = [{ action: 'allow', peers: ['10.0.0.1'] }];
    assert.isFalse(check(both, [one('in'), one('out')]).within);
    assert.isTrue(check([one('in')], both).within);
    assert.isTrue(check([one('in')], [one('in')]).within);
    assert.isFalse(check([one('in')], [one('out')]).within);
  });

  it('takes neither any peer nor 0.0.0.0/0 for multicast', () => {
    const any: Filter[] = [{ action: 'allow' }];
    assert.isTrue(check([{ action: 'allow', peers: ['0.0.0.0/0', '::/0'] }], any).within);
    assert.isTrue(check(any, [{ action: 'allow', peers: ['0.0.0.0/0', '::/0'] }]).within);
    const group = check([{ action: 'allow', peers: ['224.0.0.251'] }], any);
    assert.equal(group.within ? '' : group.witness.peer, '224.0.0.251');
    assert.isFalse(check([{ action: 'allow', peers: ['255.255.255.255'] }], any).within);
  });

  it('does not confuse families: protocol icmp is ICMP in one and ICMPv6 in the other', () => {
    const icmp: Filter[] = [{ action: 'allow', protocol: 'icmp' }];
    assert.isTrue(check([{ action: 'allow', peers: ['::/0'], protocol: 58 }], icmp).within);
    assert.isFalse(check([{ action: 'allow', peers: ['10.0.0.1'], protocol: 58 }], icmp).within);
  });

  it('finds the one address of 2^128, and the one port, that is too many', () => {
    const outer: Filter[] = [
      {
        action: 'allow',
        direction: 'in',
        peers: ['2001:db8::-2001:db8::ffff:ffff:ffff:fffe'],
        protocol: 'udp',
      },
    ];
    const proof = check(
      [{ action: 'allow', direction: 'in', peers: ['2001:db8::/64'], protocol: 'udp', ports: [65_535] }],
      outer,
    );
    assert.deepEqual(proof.within ? undefined : proof.witness, {
      direction: 'in',
      peer: '2001:db8::ffff:ffff:ffff:ffff',
      protocol: 'udp',
      port: 65_535,
      oneway: false,
    });
  });

  it('lets an empty set be within anything, and nothing but the empty within an empty one', () => {
    assert.isTrue(check([], []).within);
    assert.isFalse(check([{ action: 'allow', peers: ['10.0.0.1'] }], []).within);
    assert.isTrue(check([{ action: 'allow' }, { action: 'deny' }], []).within);
  });
});
