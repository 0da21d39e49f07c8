import { randomBytes } from 'node:crypto';
import type { RootSecrets, RootStore } from '../../../bmonitor/ports/root-store.js';
import { Secret } from '../../../crypto/secret.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import { Power } from './power.js';

interface Held {
  readonly root: Uint8Array;
  readonly g: Uint8Array;
}

/** What holds the root and G, apart from the disk: whoever copies the disk has not copied this. */
export class FakeChip {
  #held: Held | undefined;

  constructor(held?: Held) {
    this.#held = held;
  }

  copy(): FakeChip {
    return new FakeChip(this.#held);
  }

  /** The root and then G, as the store in a file has them. */
  bytes(): Uint8Array {
    return Buffer.concat([this.#held?.root ?? Buffer.alloc(0), this.#held?.g ?? Buffer.alloc(0)]);
  }

  put(bytes: Uint8Array): void {
    this.#held = { root: Uint8Array.from(bytes.subarray(0, 32)), g: Uint8Array.from(bytes.subarray(32)) };
  }

  /** True when both hold the same G. */
  sameG(other: FakeChip): boolean {
    return Buffer.compare(this.#held?.g ?? Buffer.alloc(0), other.#held?.g ?? Buffer.alloc(0)) === 0;
  }

  open(power: Power = new Power()): RootStore {
    const alive = async (): Promise<void> => {
      if (power.off) await new Promise(() => {});
    };
    return {
      kind: 'file',
      exists: async () => {
        await alive();
        return this.#held !== undefined;
      },
      create: async () => {
        await power.point('before create');
        this.#held = { root: randomBytes(32), g: randomBytes(32) };
        await power.point('after create');
        return ok(secretsOf(this.#held));
      },
      load: async (): Promise<Result<RootSecrets>> => {
        await alive();
        return this.#held ? ok(secretsOf(this.#held)) : refuse('store-damaged', 'no root');
      },
      replaceG: async (next) => {
        const { root } = this.#held ?? {};
        if (!root) throw new Error('G is replaced after the root was loaded');
        await power.point('before replaceG');
        this.#held = { root, g: next.use((bytes) => Uint8Array.from(bytes)) };
        await power.point('after replaceG');
        return ok(undefined);
      },
    };
  }
}

function secretsOf({ root, g }: Held): RootSecrets {
  return { root: Secret.take(Uint8Array.from(root)), g: Secret.take(Uint8Array.from(g)) };
}
