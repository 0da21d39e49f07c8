import { expect } from 'chai';
import { base32, otpauthUri, stepOf, totpAt, totpMatches } from '../../../../console-cluster/staff/totp.js';
import { Secret } from '../../../../crypto/secret.js';

const secret = (): Secret => Secret.take(Buffer.from('12345678901234567890'));

describe('codes of an authenticator', () => {
  it('are those of RFC 6238, appendix B', () => {
    for (const [time_s, code] of [
      [59, '287082'],
      [1_111_111_109, '081804'],
      [1_111_111_111, '050471'],
      [1_234_567_890, '005924'],
      [2_000_000_000, '279037'],
      [20_000_000_000, '353130'],
    ] as const)
      expect(totpAt(secret(), stepOf(time_s * 1000)), String(time_s)).to.equal(code);
  });

  it('hold for the step before and after, and not for the second one', () => {
    const now = 1_234_567_890_000;
    for (const away of [-2, -1, 0, 1, 2]) {
      const step = stepOf(now) + away;
      const expected = Math.abs(away) <= 1 ? step : undefined;
      expect(totpMatches(secret(), totpAt(secret(), step), now, 0), String(away)).to.equal(expected);
    }
  });

  it('serve once', () => {
    const now = 1_234_567_890_000;
    const code = totpAt(secret(), stepOf(now));
    const step = totpMatches(secret(), code, now, 0);
    expect(totpMatches(secret(), code, now, step ?? 0)).to.equal(undefined);
  });

  it('are asked for with a secret in base32, as RFC 4648 spells it', () => {
    expect(base32(Buffer.from('foobar'))).to.equal('MZXW6YTBOI');
    expect(otpauthUri('north hall', 'mara', 'MZXW6YTB')).to.equal(
      'otpauth://totp/north%20hall:mara?secret=MZXW6YTB&issuer=north%20hall&algorithm=SHA1&digits=6&period=30',
    );
  });
});
