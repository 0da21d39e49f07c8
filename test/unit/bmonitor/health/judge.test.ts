import { expect } from 'chai';
import { HealthJudge, hold_s } from '../../../../bmonitor/health/judge.js';
import type { Reading } from '../../../../bmonitor/ports/health.js';

const errors = (value: number): Reading => ({
  subject: 'memory',
  item: 'mc0 uncorrected',
  kind: 'count',
  value,
});
const stateOf = (judge: HealthJudge, subject: string): string | undefined =>
  judge.subjects.find((one) => one.subject === subject)?.state;

describe('health', () => {
  it('of what nobody could read is unknown, and never good', () => {
    const judge = new HealthJudge();
    expect(judge.subjects.map(({ state }) => state)).to.deep.equal(Array(7).fill('unknown'));
    judge.take([{ subject: 'buses', item: 'PCIe', kind: 'absent', why: 'no device reports' }], 1);
    expect(stateOf(judge, 'buses')).to.equal('unknown');
  });

  it('of a counter is judged by how much it rises, not by what it stood at before anybody looked', () => {
    const judge = new HealthJudge();
    expect(judge.take([errors(7)], 0)).to.deep.equal([]);
    expect(stateOf(judge, 'memory')).to.equal('good');
    expect(judge.take([errors(8)], 60).map(({ state }) => state)).to.deep.equal(['bad']);
    expect(judge.take([errors(8)], 120), 'it stays in sight').to.deep.equal([]);
    expect(stateOf(judge, 'memory')).to.equal('bad');
    expect(judge.take([errors(8)], 60 + hold_s).map(({ state }) => state)).to.deep.equal(['good']);
  });

  it('of a counter that was set back is counted from there', () => {
    const judge = new HealthJudge();
    judge.take([errors(7)], 0);
    expect(judge.take([errors(0)], 60)).to.deep.equal([]);
  });

  it('of a level is judged by the limit that the machine names, and unknown where it names none', () => {
    const judge = new HealthJudge();
    const heat = (value: number, most?: number): Reading => ({
      subject: 'processors',
      item: 'temperature',
      kind: 'level',
      value,
      unit: 'degrees',
      ...(most === undefined ? {} : { most }),
    });
    judge.take([heat(60)], 0);
    expect(stateOf(judge, 'processors')).to.equal('unknown');
    judge.take([heat(60, 90)], 1);
    expect(stateOf(judge, 'processors')).to.equal('good');
    expect(judge.take([heat(91, 90)], 2)[0]).to.include({
      state: 'bad',
      since_s: 2,
      limit: 'at most 90 degrees',
    });
  });

  it('says a change once, with since when', () => {
    const judge = new HealthJudge();
    const carrier = (ok: boolean): Reading => ({
      subject: 'network',
      item: 'eth0 carrier',
      kind: 'check',
      ok,
      said: '',
    });
    judge.take([carrier(true)], 0);
    expect(judge.take([carrier(false)], 5)[0]).to.include({ state: 'bad', since_s: 5 });
    expect(judge.take([carrier(false)], 6)).to.deep.equal([]);
    expect(judge.take([carrier(true)], 7)[0]).to.include({ state: 'good', since_s: 7 });
  });
});
