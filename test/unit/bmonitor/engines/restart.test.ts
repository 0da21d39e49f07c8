import { expect } from 'chai';
import { afterEnd, afterFailure, fresh, type RestartMemory } from '../../../../bmonitor/engines/restart.js';
import { limits } from '../../../../protocol/limits.js';

const failed = { code: 1, outOfMemory: false, at_ms: 0 };
const well = { code: 0, outOfMemory: false, at_ms: 0 };

function delays(count: number, ran_ms: number): readonly (number | undefined)[] {
  let memory: RestartMemory = fresh;
  return Array.from({ length: count }, () => {
    const verdict = afterEnd({}, failed, ran_ms, memory);
    memory = verdict.memory;
    return verdict.after_ms;
  });
}

describe('an engine that ended', () => {
  it('is started at once the first time, and then waits twice as long each time, up to the limit', () => {
    expect(delays(5, 10)).to.deep.equal([0, 100, 200, 400, 800]);
    expect(delays(40, 10).at(-1)).to.equal(limits.engine_delay_ms_max);
  });

  it('begins anew after it ran well', () => {
    expect(delays(3, limits.engine_well_ms)).to.deep.equal([0, 0, 0]);
  });

  it('stays down after success when only failures are to be mended, and always when it is never to be started again', () => {
    expect(afterEnd({ restart: 'on-failure' }, well, 0, fresh).after_ms).to.equal(undefined);
    expect(afterEnd({ restart: 'on-failure' }, failed, 0, fresh).after_ms).to.equal(0);
    expect(afterEnd({ restart: 'never' }, failed, 0, fresh).after_ms).to.equal(undefined);
  });

  it('by lack of memory, or unseen, counts as failed', () => {
    expect(afterEnd({ restart: 'on-failure' }, { ...well, outOfMemory: true }, 0, fresh).after_ms).to.equal(
      0,
    );
    expect(afterEnd({ restart: 'on-failure' }, { outOfMemory: false, at_ms: 0 }, 0, fresh).after_ms).to.equal(
      0,
    );
  });

  it('that could not be started is tried again after a while', () => {
    expect(afterFailure(fresh).after_ms).to.be.greaterThan(0);
  });
});
