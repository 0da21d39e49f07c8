import { scrypt, type ScryptOptions } from 'node:crypto';
import { promisify } from 'node:util';
import { Secret } from './secret.js';

/** OWASP's first choice for scrypt: 128 MiB and about half a second for each guess. */
export const stretchCost = { n: 2 ** 17, r: 8, p: 1 } as const;

const work = promisify(scrypt) as (
  password: Uint8Array,
  salt: Uint8Array,
  length: number,
  options: ScryptOptions,
) => Promise<Buffer>;

/** 32 bytes from what a person can remember, made expensive to guess. */
export async function stretch(passphrase: Secret, salt: Uint8Array): Promise<Secret> {
  const options = { N: stretchCost.n, r: stretchCost.r, p: stretchCost.p, maxmem: 256 * 1024 * 1024 };
  return Secret.take(await passphrase.use(async (bytes) => work(bytes, salt, 32, options)));
}
