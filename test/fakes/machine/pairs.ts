import { makePair, type Pair } from '../../../crypto/rsa.js';

const made: Promise<Pair>[] = [];

/** Real pairs, made once a test process: the first `count` of them, always the same ones. */
export async function pairs(count: number): Promise<readonly Pair[]> {
  while (made.length < count) made.push(makePair(2048));
  return Promise.all(made.slice(0, count));
}
