import { expect } from 'chai';
import { Lockout } from '../../../../console-cluster/staff/lockout.js';
import { limits } from '../../../../protocol/limits.js';

const failTimes = (lockout: Lockout, times: number, now: number): void => {
  for (let i = 0; i < times; i++) lockout.failed('mara', now);
};

describe('the lock-out', () => {
  it('lets some failures pass, then rests a minute, and twice as long after each further one, up to an hour', () => {
    const lockout = new Lockout();
    failTimes(lockout, limits.login_failures_max - 1, 0);
    expect(lockout.check('mara', 0).ok).to.equal(true);
    let now = 0;
    for (const rest_ms of [60_000, 120_000, 240_000, 480_000, 960_000, 1_920_000, 3_600_000, 3_600_000]) {
      lockout.failed('mara', now);
      expect(lockout.check('mara', now + rest_ms - 1).ok, String(rest_ms)).to.equal(false);
      expect(lockout.check('mara', now + rest_ms).ok, String(rest_ms)).to.equal(true);
      now += rest_ms;
    }
  });

  it('forgets after a success, and harms nobody else', () => {
    const lockout = new Lockout();
    failTimes(lockout, limits.login_failures_max, 0);
    expect(lockout.check('jon', 0).ok).to.equal(true);
    lockout.succeeded('mara');
    expect(lockout.check('mara', 0).ok).to.equal(true);
  });
});
