import { directions, families, type NormalFilter } from './model.js';

/**
 * The smallest box around each filter of a list, as bare numbers: whether a filter may share a point with another is then told without
 * looking at its peers and services one by one. Addresses of IPv6 are rounded, all the same way, so that what overlaps still does.
 */
const numbersPerFilter = 9;
const nowhere = { lo: Number.POSITIVE_INFINITY, hi: Number.NEGATIVE_INFINITY } as const;

interface Span {
  readonly lo: number;
  readonly hi: number;
}

function around(list: readonly { readonly lo: number | bigint; readonly hi: number | bigint }[]): Span {
  let { lo, hi }: Span = nowhere;
  for (const one of list) {
    lo = Math.min(lo, Number(one.lo));
    hi = Math.max(hi, Number(one.hi));
  }
  return { lo, hi };
}

function numbersOf(filter: NormalFilter): readonly number[] {
  const ways = directions.reduce((sum, way, at) => sum + (filter.directions.includes(way) ? 2 ** at : 0), 0);
  const spans = families.flatMap((family) => {
    const peers = around(filter.peers.filter((peer) => peer.family === family));
    const services = around(filter.services[family]);
    return [peers.lo, peers.hi, services.lo, services.hi];
  });
  return [ways, ...spans];
}

export class Bounds {
  readonly #numbers: Float64Array;
  readonly length: number;

  constructor(filters: readonly NormalFilter[]) {
    this.length = filters.length;
    this.#numbers = new Float64Array(filters.length * numbersPerFilter);
    for (const [at, filter] of filters.entries()) this.#numbers.set(numbersOf(filter), at * numbersPerFilter);
  }

  /** False: these two share no point. */
  mayMeet(at: number, others: Bounds, other: number): boolean {
    const [a, b] = [this.#numbers, others.#numbers];
    const [i, j] = [at * numbersPerFilter, other * numbersPerFilter];
    if (((a[i] ?? 0) & (b[j] ?? 0)) === 0) return false;
    return (
      (overlap(a, i + 1, b, j + 1) && overlap(a, i + 3, b, j + 3)) ||
      (overlap(a, i + 5, b, j + 5) && overlap(a, i + 7, b, j + 7))
    );
  }
}

function overlap(a: Float64Array, i: number, b: Float64Array, j: number): boolean {
  return (a[i] ?? 0) <= (b[j + 1] ?? 0) && (b[j] ?? 0) <= (a[i + 1] ?? 0);
}
