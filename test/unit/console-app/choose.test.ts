import { expect } from 'chai';
import { array, assert, constantFrom, nat, property } from 'fast-check';
import { choose, type Place } from '../../../console-app/engines/choose.js';
import type { EngineSettings } from '../../../protocol/engines.js';
import { refuse } from '../../../protocol/result.js';
import { refusalIn, value } from '../../fakes/results.js';

const image = `sha256:${'1'.repeat(64)}`;
const settings: EngineSettings = { image, memory_mb: 64 };
const free = (node: string, left_mb = 1000, images: readonly string[] = [image]): Place => ({
  node,
  left_mb,
  images: new Set(images),
});
const having = (
  node: string,
  more: { wanted?: string; state?: string; health?: string; settings?: EngineSettings } = {},
): Place => {
  const { wanted = 'running', state = wanted, health } = more;
  const engine = { name: 'web', state, revision: 1, runs: 1, restarts: 0, health, said: { wanted } };
  return { ...free(node), there: { engine, settings: more.settings ?? settings } };
};
const away = (node: string): Place => ({
  node,
  trouble: refuse('unreachable', 'gone').refusal,
  images: new Set(),
});
const chosen = (places: readonly Place[], wanted: number, bring = false) => {
  const { keep, add, take } = value(choose('web', places, wanted, { bring }));
  return { keep, add: add.map(({ node }) => node), take: take.map(({ node }) => node) };
};

describe('choosing the nodes on which an engine runs', () => {
  it('adds first where it is only stopped, then where most memory is left', () => {
    const places = [having('a'), free('b', 300), free('c', 500), having('d', { wanted: 'stopped' })];
    expect(chosen(places, 2)).to.deep.equal({ keep: ['a'], add: ['d'], take: [] });
    expect(chosen(places, 3)).to.deep.equal({ keep: ['a'], add: ['d', 'c'], take: [] });
    expect(chosen(places, 4).add).to.deep.equal(['d', 'c', 'b']);
  });

  it('takes no node whose memory is too little or not known, or to which the image would have to come unasked', () => {
    const { left_mb: _unsaid, ...dumb } = free('dumb');
    const places = [having('a'), free('tight', 63), dumb, free('bare', 900, []), away('gone')];
    const refusal = refusalIn(choose('web', places, 2, { bring: false }));
    expect(refusal.code).to.equal('no-place');
    expect(refusal.detail).to.equal(
      'web runs on 1, 0 more could, 2 are wanted; gone: unknown: unreachable gone; ' +
        'tight: 63 MiB left for engines, it may take 64; dumb: it does not say what memory it has left; bare: its image is not there',
    );
    const { add, bring } = value(choose('web', places, 2, { bring: true }));
    expect([add.map(({ node }) => node), bring]).to.deep.equal([['bare'], ['bare']]);
  });

  it('counts what it may ask for as needed', () => {
    const hungry = having('a', { settings: { ...settings, memory_most_mb: 700 } });
    expect(refusalIn(choose('web', [hungry, free('b', 600)], 2, { bring: false })).code).to.equal('no-place');
    expect(chosen([hungry, free('b', 700)], 2).add).to.deep.equal(['b']);
  });

  it('takes away first where it is not well, then where memory is short', () => {
    const places = [
      having('a'),
      { ...having('b'), left_mb: 10 },
      having('c', { health: 'bad' }),
      having('d', { state: 'waiting' }),
      having('e', { health: 'good' }),
    ];
    expect(chosen(places, 3)).to.deep.equal({ keep: ['a', 'b', 'e'], add: [], take: ['d', 'c'] });
    expect(chosen(places, 2).take).to.deep.equal(['d', 'c', 'b']);
    expect(chosen(places, 0).keep).to.deep.equal([]);
  });

  it('does nothing where it is not clear what the engine is', () => {
    const other = having('b', { settings: { ...settings, memory_mb: 65 } });
    expect(refusalIn(choose('web', [having('a'), other], 3, { bring: false })).code).to.equal(
      'engine-differs',
    );
    expect(refusalIn(choose('web', [free('a')], 1, { bring: false })).code).to.equal('engine-unknown');
    // What is stopped does not count: what runs says what the engine is, and is described there anew.
    const old = having('b', { wanted: 'stopped', settings: { ...settings, memory_mb: 65 } });
    expect(chosen([having('a'), old], 2)).to.deep.equal({ keep: ['a'], add: ['b'], take: [] });
  });

  it('keeps, adds and takes each node once, and as many as are wanted; a node that is away is in none', () => {
    const place = constantFrom('runs', 'stopped', 'free', 'away').map((kind) => (node: string): Place => {
      if (kind === 'away') return away(node);
      return kind === 'free' ? free(node) : having(node, { wanted: kind === 'runs' ? 'running' : 'stopped' });
    });
    assert(
      property(array(place, { maxLength: 12 }), nat({ max: 12 }), (makers, wanted) => {
        const places = [having('first'), ...makers.map((make, at) => make(`n${at}`))];
        const plan = choose('web', places, wanted, { bring: false });
        const able = places.filter(({ trouble }) => !trouble).length;
        if (!plan.ok) return plan.refusal.code === 'no-place' && wanted > able;
        const { keep, add, take } = chosen(places, wanted);
        const all = [...keep, ...add, ...take];
        const ran = places.filter(({ there }) => there?.engine.said['wanted'] === 'running').length;
        return (
          keep.length + add.length === wanted &&
          keep.length + take.length === ran &&
          new Set(all).size === all.length &&
          places.every(({ node, trouble }) => !trouble || !all.includes(node))
        );
      }),
    );
  });
});
