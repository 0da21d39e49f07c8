import { assert } from 'chai';
import * as fc from 'fast-check';
import { setArbitrary } from '../../filters/sets.js';
import type { Result } from '../../../../../protocol/result.js';
import type { FilterSet } from '../../../../../bmonitor/filters/model.js';
import {
  clampToFit,
  fitsAbove,
  misfits,
  passedAbove,
  proofOf,
} from '../../../../../bmonitor/node/decide/fit.js';
import { changeBlocks, initialFilters } from '../../../../../bmonitor/node/filter-state.js';
import {
  emptyHistory,
  noEntry,
  replaceLevel,
  type Level,
  type NodeState,
} from '../../../../../bmonitor/node/state.js';

function level(set: FilterSet): Level {
  return {
    lease: noEntry,
    status: 'active',
    rights: [],
    pair: { id: noEntry, jwk: { kty: 'RSA', n: '', e: '' } },
    roster: [],
    everEnrolled: [],
    filters: initialFilters(set),
    history: emptyHistory,
    epoch: 0,
    receipts: 0,
  };
}

const boundary: FilterSet = {
  otherwise: 'deny',
  filters: [
    {
      action: 'allow',
      direction: 'in',
      peers: ['10.0.0.0/24'],
      protocol: 'tcp',
      note: 'the secret of the landlord',
    },
    { action: 'deny', peers: ['10.0.0.9'], note: 'the secret of the landlord' },
  ],
};
const operator: FilterSet = {
  otherwise: 'inherit',
  filters: [{ action: 'deny', protocol: 'tcp', ports: [25], note: 'the secret of the operator' }],
};
const state: NodeState = {
  v: 1,
  generation: 1,
  name: 'n',
  levels: [level(boundary), level(operator), level({ otherwise: 'inherit', filters: [] })],
  jobs: [],
  timeFloor_s: 0,
};

function value<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.refusal.detail);
  return result.value;
}

function fits(set: FilterSet, at = 2): ReturnType<typeof fitsAbove> {
  return fitsAbove(replaceLevel(state, at, level(set)), at);
}

const web = (peer: string, port = 80): FilterSet => ({
  otherwise: 'inherit',
  filters: [{ action: 'allow', direction: 'in', peers: [peer], protocol: 'tcp', ports: [port] }],
});

describe('whether a level’s filters fit below those above', () => {
  it('accepts what all levels above let through', () => {
    assert.isTrue(fits(web('10.0.0.1')).ok);
    assert.isTrue(fits({ otherwise: 'deny', filters: [] }).ok);
  });

  it('refuses a tenant filter that would reach outside the boundary, with a packet and the level', () => {
    const refused = fits(web('10.0.0.8/30'));
    assert.isFalse(refused.ok);
    if (refused.ok) return;
    assert.equal(refused.refusal.code, 'filters-exceed');
    assert.deepEqual(refused.refusal.data, {
      witness: { direction: 'in', peer: '10.0.0.9', protocol: 'tcp', port: 80, oneway: false },
      inner: [0],
      level: 0,
    });
    const mail = fits(web('10.0.0.1', 25));
    assert.equal(mail.ok ? undefined : mail.refusal.data?.['level'], 1);
  });

  it('says nothing of the upper levels’ filters, neither notes nor which they are', () => {
    const refused = fits(web('10.0.0.9'));
    assert.notInclude(JSON.stringify(refused), 'secret');
    assert.notProperty(refused.ok ? {} : (refused.refusal.data ?? {}), 'outer');
    const boxes = passedAbove(state, 1);
    assert.isTrue(boxes.ok);
    assert.notInclude(JSON.stringify(boxes), 'secret');
  });

  it('clamps to what fits, if asked, and shows what was cut off', () => {
    const clamped = clampToFit(state, 2, web('10.0.0.8/31'), new Map());
    assert.deepEqual(clamped.ok ? clamped.value : undefined, {
      set: web('10.0.0.8'),
      clamped: {
        changed: 1,
        cutCount: 1,
        cut: [{ direction: 'in', oneway: false, peers: '10.0.0.9', protocol: 'tcp', ports: '80' }],
      },
    });
    assert.isTrue(clamped.ok && fits(clamped.value.set).ok);
  });

  it('lets the landlord set what it wants', () => {
    assert.isTrue(fits({ otherwise: 'deny', filters: [{ action: 'allow' }] }, 0).ok);
  });

  it('finds what no longer fits below when a level above tightens', () => {
    const before = replaceLevel(state, 2, level(web('10.0.0.1')));
    assert.equal(value(misfits(before, 0)).size, 0);
    const tighter = replaceLevel(before, 1, level({ otherwise: 'inherit', filters: [{ action: 'deny' }] }));
    const found = value(misfits(tighter, 1, before));
    assert.deepEqual([...found.keys()], [2]);
    assert.deepInclude(found.get(2)?.witness, { peer: '10.0.0.1', protocol: 'tcp', port: 80 });
    assert.equal(found.get(2)?.level, 1);
  });

  it('gives the same answer from what changed as from the whole', () => {
    const small = fc.tuple(setArbitrary(6), setArbitrary(5), setArbitrary(4));
    const change = fc.record({ at: fc.nat(2), remove: fc.nat(6), add: setArbitrary(2) });
    fc.assert(
      fc.property(small, fc.array(change, { minLength: 1, maxLength: 4 }), (sets, changes) => {
        let before: NodeState = { ...state, levels: [level(sets[0]), level(sets[1]), level(sets[2])] };
        for (const { at, remove, add } of changes) {
          const own = before.levels[at];
          if (!own) return;
          // What is known of the state before is what makes the short way possible.
          for (const below of [1, 2]) value(proofOf(before, below));
          let count = 0;
          const blocks = changeBlocks(
            own.filters.blocks,
            new Set([remove]),
            add.filters,
            () => `b${count++}`,
          );
          const after = replaceLevel(before, at, { ...own, filters: { ...own.filters, blocks } });
          // The same filters as other objects: nothing is known of them.
          const forgotten: NodeState = structuredClone(after);
          for (const below of [1, 2])
            assert.equal(
              value(proofOf(after, below, before)).within,
              value(proofOf(forgotten, below)).within,
            );
          before = after;
        }
      }),
      { numRuns: 60 },
    );
  });
});
