import { timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';

const shown = '[secret]';

/**
 * Bytes that must not be seen: keys, shares, tokens. A Secret does not print, does not serialise, compares in constant
 * time and can be wiped. The only way to the bytes is `use`, which is easy to search for in a review.
 */
export class Secret {
  readonly #bytes: Uint8Array;
  #wiped = false;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Takes over the bytes: the caller must not keep or use them afterwards. */
  static take(bytes: Uint8Array): Secret {
    return new Secret(bytes);
  }

  get length(): number {
    return this.#bytes.length;
  }

  use<T>(reader: (bytes: Uint8Array) => T): T {
    if (this.#wiped) throw new Error('a wiped secret was used');
    return reader(this.#bytes);
  }

  equals(other: Secret): boolean {
    return this.use((mine) =>
      other.use((theirs) => mine.length === theirs.length && timingSafeEqual(mine, theirs)),
    );
  }

  wipe(): void {
    this.#bytes.fill(0);
    this.#wiped = true;
  }

  toString(): string {
    return shown;
  }

  toJSON(): string {
    return shown;
  }

  [Symbol.toPrimitive](): string {
    return shown;
  }

  [inspect.custom](): string {
    return shown;
  }
}

// structuredClone and postMessage would copy a Secret as an empty object, which loses it but shows nothing.
