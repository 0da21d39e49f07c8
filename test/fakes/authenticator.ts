import { stepOf, totpAt } from '../../console-cluster/staff/totp.js';
import { Secret } from '../../crypto/secret.js';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** A telephone with an authenticator, given the secret as a person types it. */
export class Authenticator {
  readonly secret: Secret;

  constructor(typed: string) {
    const letters = typed.replaceAll(' ', '').split('');
    const bits = letters.map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, '0')).join('');
    const bytes = bits.match(/.{8}/g) ?? [];
    this.secret = Secret.take(Uint8Array.from(bytes, (byte) => parseInt(byte, 2)));
  }

  /** A code serves once, so a test that logs in often takes those of the steps beside. */
  code(steps = 0): string {
    return totpAt(this.secret, stepOf(Date.now()) + steps);
  }
}
