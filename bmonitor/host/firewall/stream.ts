/**
 * What happened, for one reader who may be slow: beyond `held_max` the oldest are dropped, because what is said of
 * refused packets must never hold up the node or fill its memory.
 */
export class Stream<T> {
  readonly #held: T[] = [];
  readonly #held_max: number;
  #wake: (() => void) | undefined;
  #ended = false;
  dropped = 0;

  constructor(held_max: number) {
    this.#held_max = held_max;
  }

  push(item: T): void {
    if (this.#ended) return;
    this.#held.push(item);
    if (this.#held.length > this.#held_max) {
      this.#held.shift();
      this.dropped++;
    }
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *read(): AsyncGenerator<T, void, void> {
    for (;;) {
      const item = this.#held.shift();
      if (item !== undefined) {
        yield item;
        continue;
      }
      if (this.#ended) return;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
