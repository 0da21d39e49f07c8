import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { fromB64u, publicRandom, toB64u } from '../../crypto/bytes.js';
import { limits } from '../../protocol/limits.js';
import type { Clock } from '../ports/clock.js';

/**
 * Nonces that need no memory: the moment by the clock that counts suspended time (8 bytes), random bytes (8), and half a MAC (16) under a
 * key that lives as long as this start of the node. So a nonce of an earlier start, or one that is too old, is known at once.
 */
export class Nonces {
  readonly #key = randomBytes(32);
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  give(): string {
    const body = Buffer.alloc(16);
    body.writeBigUInt64BE(BigInt(Math.floor(this.#clock.sinceBoot())), 0);
    publicRandom(8).copy(body, 8);
    return toB64u(Buffer.concat([body, this.#mac(body)]));
  }

  isFresh(nonce: string): boolean {
    const bytes = fromB64u(nonce);
    if (bytes?.length !== limits.nonce_bytes) return false;
    const body = Buffer.from(bytes.subarray(0, 16));
    if (!timingSafeEqual(bytes.subarray(16), this.#mac(body))) return false;
    const age = this.#clock.sinceBoot() - Number(body.readBigUInt64BE(0));
    return age >= -1 && age < limits.nonce_age_ms_max;
  }

  #mac(body: Uint8Array): Uint8Array {
    return createHmac('sha256', this.#key).update(body).digest().subarray(0, 16);
  }
}
