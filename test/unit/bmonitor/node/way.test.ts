import { expect } from 'chai';
import type { Filter } from '../../../../bmonitor/filters/model.js';
import { Judge } from '../../../../bmonitor/filters/explain/judge.js';
import { parseAddress } from '../../../../bmonitor/filters/address.js';
import { servicePoint, tcp } from '../../../../bmonitor/filters/protocols.js';
import { LevelFollower } from '../../../../bmonitor/node/compiled-level.js';
import { initialFilters, type FilterState } from '../../../../bmonitor/node/filter-state.js';
import type { Level } from '../../../../bmonitor/node/state.js';
import { restorableWay } from '../../../../bmonitor/node/way.js';
import { value } from '../../../fakes/results.js';

const way = { peer: '10.0.0.9', port: 7443 };
const console: Filter = { action: 'allow', direction: 'in', peers: ['10.0.0.9'], protocol: 'tcp' };
const state = (filters: readonly Filter[], otherwise: 'deny' | 'inherit' = 'deny'): FilterState =>
  initialFilters({ otherwise, filters });

describe('the way that undoing restores', () => {
  it('is the one on which the console came, if what stands lets it through', () => {
    const stands = state([console]);
    expect(value(restorableWay(stands, way, '10.0.0.9'))).to.equal(way);
    expect(value(restorableWay(stands, way, '::ffff:10.0.0.9'))).to.equal(way);
    expect(value(restorableWay(stands, way, '10.0.0.8')), 'behind a translator').to.equal(undefined);
    expect(value(restorableWay(stands, way, 'console kq3')), 'through a gateway').to.equal(undefined);
    expect(value(restorableWay(stands, undefined, '10.0.0.9'))).to.equal(undefined);
  });

  it('is none where the level did not let it through', () => {
    const denied: Filter = { action: 'deny', peers: ['10.0.0.0/24'] };
    expect(value(restorableWay(state([console, denied]), way, '10.0.0.9'))).to.equal(undefined);
    expect(value(restorableWay(state([]), way, '10.0.0.9'))).to.equal(undefined);
    expect(value(restorableWay(state([{ ...console, oneway: true }]), way, '10.0.0.9'))).to.equal(undefined);
    expect(value(restorableWay(state([], 'inherit'), way, '10.0.0.9'))).to.equal(way);
    expect(value(restorableWay({ ...state([denied]), restored: way }, way, '10.0.0.9'))).to.equal(way);
  });

  it('passes before all denies of its level, and nothing beside it does', () => {
    const filters = { ...state([{ action: 'deny', peers: ['10.0.0.0/24'] }]), restored: way };
    const level = { lease: 'l', filters, status: 'active' } as unknown as Level;
    const judge = new Judge([value(LevelFollower.of(level)).level.boxes]);
    const passes = (peer: string, port: number): boolean => {
      const address = parseAddress(peer);
      if (!address) throw new Error(peer);
      return judge.at('in', address.family, address.value, servicePoint(tcp, port)).twoway.passes;
    };
    expect(passes('10.0.0.9', 7443)).to.equal(true);
    expect(passes('10.0.0.9', 7444)).to.equal(false);
    expect(passes('10.0.0.8', 7443)).to.equal(false);
  });
});
