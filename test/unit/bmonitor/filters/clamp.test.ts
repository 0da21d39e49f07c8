import { assert } from 'chai';
import * as fc from 'fast-check';
import { passes, type TrafficClass } from '../../../../bmonitor/filters/boxes.js';
import { clamp, type Clamped } from '../../../../bmonitor/filters/clamp.js';
import { diff, type Difference } from '../../../../bmonitor/filters/diff.js';
import type { Filter, FilterSet } from '../../../../bmonitor/filters/model.js';
import { prove } from '../../../../bmonitor/filters/prove.js';
import type { SpelledBox } from '../../../../bmonitor/filters/spell.js';
import { judge, normal, numberOf, points, setArbitrary, type Point } from './sets.js';

const classes: readonly TrafficClass[] = ['twoway', 'oneway'];

function clamped(inner: FilterSet, outers: readonly FilterSet[]): Clamped {
  const result = clamp(
    { set: inner, normal: normal(inner) },
    outers.map((outer) => normal(outer)),
  );
  if (!result.ok) throw new Error(result.refusal.detail);
  return result.value;
}

function difference(before: FilterSet, after: FilterSet): Difference {
  const result = diff(normal(before), normal(after));
  if (!result.ok) throw new Error(result.refusal.detail);
  return result.value;
}

const numbers: Readonly<Record<string, number>> = { tcp: 6, udp: 17, gre: 47, sctp: 132 };

function boxHolds(box: SpelledBox, point: Point): boolean {
  if (box.direction !== point.direction) return false;
  const judged = judge(
    {
      otherwise: 'deny',
      // A deny, because an allow for 0.0.0.0/0 would be read without multicast, and a box is not.
      filters: [{ action: 'deny', peers: [box.peers] }],
    },
    point,
  );
  if (judged === undefined) return false;
  const [lo, hi = lo] = String(
    box.protocol === 'icmp' ? (point.family === 4 ? 1 : 58) : (numbers[box.protocol] ?? box.protocol),
  ).split('-');
  if (box.protocol !== 'any' && (point.protocol < Number(lo) || point.protocol > Number(hi))) return false;
  if (box.ports === null) return true;
  const [from, to = from] = box.ports.split('-').map(Number);
  return from !== undefined && to !== undefined && point.port >= from && point.port <= to;
}

describe('clamping a set to what is allowed above', () => {
  it('lets through exactly what both the set and those above let through, and is read back as it was meant', () => {
    let cut = 0;
    fc.assert(
      fc.property(
        setArbitrary(5),
        fc.array(setArbitrary(5), { minLength: 1, maxLength: 2 }),
        (inner, outers) => {
          const { set, changed } = clamped(inner, outers);
          if (changed.length > 0) cut++;
          assert.isTrue(
            prove(
              normal(set),
              outers.map((outer) => normal(outer)),
            ).within,
          );
          for (const point of points())
            for (const traffic of classes) {
              const wanted = [{ ...inner, otherwise: 'deny' as const }, ...outers].every((level) =>
                passes(judge(level, point)?.verdict, traffic, level.otherwise),
              );
              const got = passes(judge(set, point)?.verdict, traffic, 'deny');
              assert.equal(got, wanted, `${traffic} ${JSON.stringify(point)}`);
            }
        },
      ),
      { numRuns: 15 },
    );
    assert.isAbove(cut, 0);
  });

  it('leaves a set that fits untouched, to the letter', () => {
    const set: FilterSet = {
      otherwise: 'inherit',
      filters: [{ action: 'allow', service: 'http', note: 'web' }],
    };
    assert.deepEqual(clamped(set, [{ otherwise: 'deny', filters: [{ action: 'allow' }] }]), {
      set,
      changed: [],
      cut: [],
    });
  });

  it('shows what was cut off and keeps the note', () => {
    const result = clamped(
      {
        otherwise: 'inherit',
        filters: [
          {
            action: 'allow',
            direction: 'in',
            peers: ['10.0.0.0/24'],
            protocol: 'tcp',
            ports: ['80-90'],
            note: 'web',
          },
        ],
      },
      [
        {
          otherwise: 'deny',
          filters: [{ action: 'allow', peers: ['10.0.0.0/25'], protocol: 'tcp', ports: ['80-85'] }],
        },
      ],
    );
    assert.deepEqual(result.set.filters, [
      {
        action: 'allow',
        direction: 'in',
        peers: ['10.0.0.0/25'],
        protocol: 'tcp',
        ports: ['80-85'],
        note: 'web',
      },
    ]);
    assert.deepEqual(result.changed, [0]);
    assert.sameDeepMembers(
      [...result.cut],
      [
        { direction: 'in', oneway: false, peers: '10.0.0.0/25', protocol: 'tcp', ports: '86-90' },
        { direction: 'in', oneway: false, peers: '10.0.0.128/25', protocol: 'tcp', ports: '80-90' },
      ],
    );
  });

  it('says any protocol but the refused ones in two filters, not in hundreds', () => {
    const { set } = clamped({ otherwise: 'inherit', filters: [{ action: 'allow' }] }, [
      { otherwise: 'deny', filters: [{ action: 'allow' }, { action: 'deny', protocol: 'tcp', ports: [25] }] },
    ]);
    assert.lengthOf(set.filters, 2);
    assert.deepEqual(set.filters[0], { action: 'allow' });
    assert.equal(set.filters[1]?.action, 'deny');
  });

  it('denies nothing for peers of whom only others must not speak the protocol', () => {
    const outers: FilterSet[] = [
      {
        otherwise: 'deny',
        filters: [{ action: 'allow' }, { action: 'deny', peers: ['10.0.0.1'], protocol: 1 }],
      },
      { otherwise: 'inherit', filters: [{ action: 'deny', protocol: 'gre' }] },
    ];
    const { set } = clamped({ otherwise: 'deny', filters: [{ action: 'allow' }] }, outers);
    const says = (peer: string, protocol: number): string | undefined =>
      judge(set, { direction: 'in', family: 4, peer, protocol, port: 0 })?.verdict;
    assert.equal(says('10.0.0.2', 1), 'allow');
    assert.notEqual(says('10.0.0.1', 1), 'allow');
    assert.equal(says('10.0.0.1', 2), 'allow');
    assert.notEqual(says('10.0.0.2', 47), 'allow');
  });

  it('turns a two-way allow into a one-way one where only that is allowed', () => {
    const { set } = clamped(
      { otherwise: 'deny', filters: [{ action: 'allow', direction: 'in', peers: ['10.0.0.1'] }] },
      [
        {
          otherwise: 'deny',
          filters: [{ action: 'allow', direction: 'in', peers: ['10.0.0.0/24'], oneway: true }],
        },
      ],
    );
    assert.deepEqual(set.filters, [{ action: 'allow', direction: 'in', peers: ['10.0.0.1'], oneway: true }]);
  });
});

describe('the difference of two sets', () => {
  it('names each point that changes in exactly one box of its side, and no other point', () => {
    fc.assert(
      fc.property(setArbitrary(4), setArbitrary(4), (before, after) => {
        const { allowed, refused } = difference(before, after);
        for (const point of points()) {
          const state = (set: FilterSet, traffic: TrafficClass): boolean =>
            passes(judge(set, point)?.verdict, traffic, set.otherwise);
          const change = (from: FilterSet, to: FilterSet): { twoway: boolean; oneway: boolean } => {
            const twoway = state(to, 'twoway') && !state(from, 'twoway');
            return { twoway, oneway: !twoway && state(to, 'oneway') && !state(from, 'oneway') };
          };
          for (const [boxes, expected] of [
            [allowed, change(before, after)],
            [refused, change(after, before)],
          ] as const) {
            const here = boxes.filter((box) => boxHolds(box, point));
            assert.lengthOf(
              here.filter((box) => !box.oneway),
              expected.twoway ? 1 : 0,
              JSON.stringify(point),
            );
            assert.lengthOf(
              here.filter((box) => box.oneway),
              expected.oneway ? 1 : 0,
              JSON.stringify(point),
            );
          }
        }
      }),
      { numRuns: 15 },
    );
  });

  it('is empty between sets that say the same in other words', () => {
    const one: FilterSet = {
      otherwise: 'deny',
      filters: [{ action: 'allow', peers: ['10.0.0.0/24'], protocol: 'tcp', ports: ['1-9'] }],
    };
    const other: FilterSet = {
      otherwise: 'deny',
      filters: [
        { action: 'allow', direction: 'out', peers: ['10.0.0.0/24'], protocol: 6, ports: ['1-4', '5-9'] },
        {
          action: 'allow',
          direction: 'in',
          peers: ['10.0.0.0-10.0.0.99', '10.0.0.100-10.0.0.255'],
          protocol: 'tcp',
          ports: ['1-9'],
        },
        { action: 'allow', direction: 'in', peers: ['10.0.0.3'], protocol: 'tcp', ports: [5], oneway: true },
      ],
    };
    assert.deepEqual(difference(one, other), { allowed: [], refused: [] });
  });

  it('shows a box in the fewest words', () => {
    const { allowed } = difference(
      { otherwise: 'deny', filters: [] },
      {
        otherwise: 'deny',
        filters: [{ action: 'allow', direction: 'out', peers: ['2001:db8::/32'], service: 'dns' }],
      },
    );
    assert.deepEqual(allowed, [
      { direction: 'out', oneway: false, peers: '2001:db8::/32', protocol: 'tcp', ports: '53' },
      { direction: 'out', oneway: false, peers: '2001:db8::/32', protocol: 'udp', ports: '53' },
    ]);
    assert.equal(numberOf('2001:db8::') >> 96n, 0x2001_0db8n);
  });

  it('refuses sets that shatter each other into more pieces than are calculated with', () => {
    const columns = normal({
      otherwise: 'deny',
      filters: [{ action: 'allow', protocol: 'tcp', ports: Array.from({ length: 4000 }, (_, at) => at * 2) }],
    });
    const rows: FilterSet = {
      otherwise: 'inherit',
      filters: Array.from({ length: 600 }, (_, at): Filter => ({
        action: 'allow',
        peers: [`10.0.${at >> 7}.${(at % 128) * 2}`],
        protocol: 'tcp',
      })),
    };
    const refused = clamp({ set: rows, normal: normal(rows) }, [columns]);
    assert.equal(refused.ok ? undefined : refused.refusal.code, 'filters-too-complex');
  });
});
