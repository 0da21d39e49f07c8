import { expect } from 'chai';
import { lastText } from '../../../console-app/engines/last.js';

describe('what an engine did last, in a sentence', () => {
  it('says how it ended, with its code or signal and the probe that found it unwell', () => {
    expect(lastText({ lastEnd: { how: 'exit', at_ms: 1, code: 3 } })).to.equal('ended: exit, code 3');
    expect(lastText({ lastEnd: { how: 'signal', at_ms: 1, signal: 9 } })).to.equal('ended: signal, number 9');
    expect(lastText({ lastEnd: { how: 'unwell', probe: 'http', detail: 'no answer' } })).to.equal(
      'ended: unwell, http, no answer',
    );
  });

  it('says why it was not started before how it ended, and nothing of what has done neither', () => {
    const lastEnd = { how: 'exit', code: 0 };
    expect(lastText({ lastEnd, lastFailure: { code: 'secret-missing', detail: 'db' } })).to.equal(
      'not started: secret-missing, db',
    );
    expect(lastText({})).to.equal('');
  });
});
