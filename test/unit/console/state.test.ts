import { expect } from 'chai';
import * as fc from 'fast-check';
import { backOff } from '../../../protocol/back-off.js';
import { nextChange, stateAt, type Facts } from '../../../console/nodes/state.js';

const patience = { answer_ms: 5, late_ms: 10, unknown_ms: 30 };
const at = (facts: Partial<Facts>, now: number): string =>
  stateAt({ dialling: false, connected: true, ...facts }, patience, now);

describe('the state of a node as a console shows it', () => {
  it('is good only for a while after a sealed answer, then silent, then unknown', () => {
    expect(at({ heard: 100 }, 110)).to.equal('good');
    expect(at({ heard: 100 }, 111)).to.equal('silent');
    expect(at({ heard: 100 }, 130)).to.equal('silent');
    expect(at({ heard: 100, connected: false }, 131)).to.equal('unknown');
  });

  it('is late when an answer takes too long, whether it came or not, and as long as the node is heard', () => {
    expect(at({ heard: 100, asked: 100 }, 105)).to.equal('good');
    expect(at({ heard: 105, asked: 100 }, 106)).to.equal('late');
    expect(at({ heard: 105, asked: 100 }, 116)).to.equal('silent');
    expect(at({ heard: 100, took_ms: 6 }, 101)).to.equal('late');
    expect(at({ heard: 100, took_ms: 5 }, 101)).to.equal('good');
  });

  it('is wrong after a wrong answer, which counts for more than a late one', () => {
    expect(at({ heard: 100, wrong: true, took_ms: 6 }, 101)).to.equal('wrong');
    expect(at({ heard: 100, wrong: true }, 111)).to.equal('silent');
    expect(at({ heard: 100, wrong: true, refused: { at: 101, code: 'history-fork' } }, 102)).to.equal(
      'refused',
    );
  });

  it('is silent at once when the connection is lost', () => {
    expect(at({ heard: 100, connected: false }, 101)).to.equal('silent');
  });

  it('is connecting until the first answer, and unknown when nobody even tries', () => {
    expect(at({ dialling: true, connected: false }, 0)).to.equal('connecting');
    expect(at({}, 0)).to.equal('connecting');
    expect(at({ connected: false }, 0)).to.equal('unknown');
  });

  it('is refused after a refusal, until an answer or until it is too long ago', () => {
    const refused = { at: 105, code: 'unknown-console' } as const;
    expect(at({ heard: 100, refused }, 106)).to.equal('refused');
    expect(at({ heard: 106, refused }, 107)).to.equal('good');
    expect(at({ heard: 100, refused }, 136)).to.equal('unknown');
  });

  it('never is good by the passing of time, whatever was observed', () => {
    const facts: fc.Arbitrary<Facts> = fc.record(
      {
        dialling: fc.boolean(),
        connected: fc.boolean(),
        heard: fc.nat(100),
        refused: fc.record({ at: fc.nat(100), code: fc.constant('unknown-console' as const) }),
        asked: fc.nat(100),
        took_ms: fc.nat(10),
        wrong: fc.boolean(),
      },
      { requiredKeys: ['dialling', 'connected'] },
    );
    fc.assert(
      fc.property(facts, fc.nat(200), fc.nat(200), (observed, now, later) => {
        fc.pre(
          now >= (observed.heard ?? 0) && now >= (observed.refused?.at ?? 0) && now >= (observed.asked ?? 0),
        );
        const before = stateAt(observed, patience, now);
        if (before !== 'good') expect(stateAt(observed, patience, now + later)).not.to.equal('good');
        // Between now and the next change that is announced, nothing changes.
        const next = nextChange(observed, patience, now) ?? Infinity;
        if (now + later < next) expect(stateAt(observed, patience, now + later)).to.equal(before);
      }),
    );
  });

  it('dials again later and later, spread, and never beyond the longest wait', () => {
    const bounds = { first_ms: 100, most_ms: 10_000 };
    for (let failures = 0; failures < 40; failures++) {
      expect(backOff(failures, 0, bounds)).to.equal(50);
      expect(backOff(failures, 0.999, bounds)).to.be.at.most(10_050);
    }
    expect(backOff(3, 0.5, bounds)).to.equal(450);
  });
});
