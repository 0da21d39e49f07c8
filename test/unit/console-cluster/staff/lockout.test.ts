import { expect } from 'chai';
import { Lockout } from '../../../../console-cluster/staff/lockout.js';
import { limits } from '../../../../protocol/limits.js';
import { value } from '../../../fakes/results.js';

const here = '192.0.2.1';
const may = (lockout: Lockout, name: string, now: number, source = here): boolean => {
  const attempt = lockout.begin(name, source, now);
  if (attempt.ok) attempt.value.neither();
  return attempt.ok;
};
const fail = (lockout: Lockout, times: number, now: number, source = here): void => {
  for (let i = 0; i < times; i++) value(lockout.begin('mara', source, now)).wrong();
};

describe('the lock-out', () => {
  it('lets some failures pass, then rests a minute, and twice as long after each further one, up to an hour', () => {
    const lockout = new Lockout();
    fail(lockout, limits.login_failures_max - 1, 0);
    expect(may(lockout, 'mara', 0)).to.equal(true);
    let now = 0;
    for (const rest_ms of [60_000, 120_000, 240_000, 480_000, 960_000, 1_920_000, 3_600_000, 3_600_000]) {
      fail(lockout, 1, now);
      expect(may(lockout, 'mara', now + rest_ms - 1), String(rest_ms)).to.equal(false);
      expect(may(lockout, 'mara', now + rest_ms), String(rest_ms)).to.equal(true);
      now += rest_ms;
    }
  });

  it('forgets after a success, and harms nobody else', () => {
    const lockout = new Lockout();
    fail(lockout, limits.login_failures_max - 1, 0);
    value(lockout.begin('mara', here, 0)).right();
    fail(lockout, limits.login_failures_max - 1, 0);
    expect(may(lockout, 'mara', 0)).to.equal(true);
    fail(lockout, 1, 0);
    expect(may(lockout, 'mara', 0)).to.equal(false);
    expect(may(lockout, 'jon', 0)).to.equal(true);
  });

  it('does not let a stranger elsewhere lock the staff out, until there are very many of them', () => {
    const lockout = new Lockout();
    fail(lockout, limits.login_failures_max, 0, '198.51.100.7');
    expect(may(lockout, 'mara', 0, '198.51.100.7')).to.equal(false);
    expect(may(lockout, 'mara', 0)).to.equal(true);
    const addresses = limits.login_failures_everywhere_max / limits.login_failures_max;
    for (let i = 1; i < addresses; i++) fail(lockout, limits.login_failures_max, 0, `203.0.113.${i}`);
    expect(may(lockout, 'mara', 0)).to.equal(false);
  });

  it('gives many guesses at once no more tries than one after the other', () => {
    const lockout = new Lockout();
    const begun = Array.from({ length: 100 }, () => lockout.begin('mara', here, 0));
    const judged = begun.filter((attempt) => attempt.ok);
    expect(judged.length).to.equal(limits.login_failures_max);
    for (const attempt of judged) value(attempt).wrong();
    expect(may(lockout, 'mara', 0)).to.equal(false);
    // After its rest there is one guess, not five.
    const again = Array.from({ length: 100 }, () => lockout.begin('mara', here, 60_000));
    expect(again.filter((attempt) => attempt.ok).length).to.equal(1);
  });
});
