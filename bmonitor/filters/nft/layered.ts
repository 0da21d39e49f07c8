/** More changes than this, and they are laid into a map of their own. */
const changes_max = 256;

/**
 * A large map and a few changes to it. What it was made from stays as it is, because who goes back to an earlier program
 * needs its elements; and a change costs what changes, not the size of the map.
 *
 * INVARIANTS:
 * - `#changes` holds a value where the key is there, and undefined where it is gone from `#base`.
 */
export class LayeredMap implements ReadonlyMap<string, string> {
  readonly #base: ReadonlyMap<string, string>;
  readonly #changes: ReadonlyMap<string, string | undefined>;
  readonly size: number;

  private constructor(
    base: ReadonlyMap<string, string>,
    changes: ReadonlyMap<string, string | undefined>,
    size: number,
  ) {
    this.#base = base;
    this.#changes = changes;
    this.size = size;
  }

  static of(
    from: ReadonlyMap<string, string>,
    removed: readonly string[],
    added: readonly (readonly [key: string, value: string])[],
  ): ReadonlyMap<string, string> {
    const base = from instanceof LayeredMap ? from.#base : from;
    const changes = new Map(from instanceof LayeredMap ? from.#changes : []);
    let { size } = from;
    for (const key of removed) {
      if (changes.has(key) ? changes.get(key) !== undefined : base.has(key)) size -= 1;
      if (base.has(key)) changes.set(key, undefined);
      else changes.delete(key);
    }
    for (const [key, value] of added) {
      if (!(changes.has(key) ? changes.get(key) !== undefined : base.has(key))) size += 1;
      changes.set(key, value);
    }
    const layered = new LayeredMap(base, changes, size);
    return changes.size > changes_max ? new Map(layered) : layered;
  }

  get(key: string): string | undefined {
    return this.#changes.has(key) ? this.#changes.get(key) : this.#base.get(key);
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  *entries(): MapIterator<[string, string]> {
    for (const entry of this.#base) if (!this.#changes.has(entry[0])) yield entry;
    for (const [key, value] of this.#changes) if (value !== undefined) yield [key, value];
  }

  *keys(): MapIterator<string> {
    for (const [key] of this.entries()) yield key;
  }

  *values(): MapIterator<string> {
    for (const [, value] of this.entries()) yield value;
  }

  [Symbol.iterator](): MapIterator<[string, string]> {
    return this.entries();
  }

  forEach(visit: (value: string, key: string, map: ReadonlyMap<string, string>) => void): void {
    for (const [key, value] of this.entries()) visit(value, key, this);
  }
}
