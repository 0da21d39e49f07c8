import { createPrivateKey, generatePrime } from 'node:crypto';
import { promisify } from 'node:util';
import { publicKeyFromJwk, type Pair, type PublicJwk } from '../../crypto/rsa.js';

const prime = promisify(generatePrime) as unknown as (
  bits: number,
  options: { readonly bigint: true },
) => Promise<bigint>;
const exponent = 0x1_0001n;
const bits = 2048;

/**
 * RSA pairs for a simulated fleet. Making ten thousand takes an hour, so they share primes: from 150 of them come 11,175 products, each the
 * modulus of a real pair that signs and opens like any other. They protect nothing, and nothing but simulated nodes has them.
 */
export class FleetPairs {
  readonly #primes: readonly bigint[];
  readonly #moduli: readonly (readonly [bigint, bigint])[];
  readonly #made = new Map<number, Pair>();

  private constructor(primes: readonly bigint[], count: number) {
    this.#primes = primes;
    const moduli: [bigint, bigint][] = [];
    for (const [at, p] of this.#primes.entries())
      for (const q of this.#primes.slice(at + 1)) if (moduli.length < count) moduli.push([p, q]);
    this.#moduli = moduli;
  }

  static async make(count: number): Promise<FleetPairs> {
    let wanted = 2;
    while ((wanted * (wanted - 1)) / 2 < count) wanted += 1;
    const found = new Set<bigint>();
    while (found.size < wanted) {
      const many = Array.from({ length: Math.min(4, wanted - found.size) }, () =>
        prime(bits / 2, { bigint: true }),
      );
      for (const one of await Promise.all(many)) if (one % exponent !== 1n) found.add(one);
    }
    return new FleetPairs([...found], count);
  }

  jwk(index: number): PublicJwk {
    const [p, q] = this.#factors(index);
    return { kty: 'RSA', n: b64u(p * q), e: b64u(exponent) };
  }

  /** With its private half, which is put together when it is first needed. */
  pair(index: number): Pair {
    const known = this.#made.get(index);
    if (known) return known;
    const [p, q] = this.#factors(index);
    const d = inverse(exponent, (p - 1n) * (q - 1n));
    const jwk = this.jwk(index);
    const key = createPrivateKey({
      format: 'jwk',
      key: {
        ...jwk,
        d: b64u(d),
        p: b64u(p),
        q: b64u(q),
        dp: b64u(d % (p - 1n)),
        dq: b64u(d % (q - 1n)),
        qi: b64u(inverse(q, p)),
      },
    });
    const made = publicKeyFromJwk(jwk);
    if (!made) throw new Error('two primes of 1024 bits with their upper bits set make a modulus of 2048');
    const pair = { public: made, private: key };
    this.#made.set(index, pair);
    return pair;
  }

  #factors(index: number): readonly [bigint, bigint] {
    const factors = this.#moduli[index];
    if (!factors) throw new Error(`there is no pair ${index}`);
    return factors;
  }
}

function b64u(value: bigint): string {
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex').toString('base64url');
}

/** By the extended algorithm of Euclid. */
function inverse(value: bigint, modulus: bigint): bigint {
  let [a, b] = [modulus, ((value % modulus) + modulus) % modulus];
  let [x, y] = [0n, 1n];
  while (b > 0n) {
    const whole = a / b;
    [a, b] = [b, a - whole * b];
    [x, y] = [y, x - whole * y];
  }
  return ((x % modulus) + modulus) % modulus;
}
