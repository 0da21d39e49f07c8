import { randomBytes } from 'node:crypto';
import type { Rooted, RootStore } from '../../../bmonitor/ports/root-store.js';
import { makePair, type Pair } from '../../../crypto/rsa.js';
import { Secret } from '../../../crypto/secret.js';
import { signerOf } from '../../../crypto/signer.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import { Power } from './power.js';

interface Held {
  readonly root: Uint8Array;
  readonly g: Uint8Array;
  readonly identity: Pair;
  /** The measurements to which it gives its secrets: the present one, and one that was approved. */
  readonly allowed: readonly string[];
}

const bornMeasuring = 'M'.repeat(42).concat('A');

/** What holds the root, G and N, apart from the disk: whoever copies the disk has not copied this. */
export class FakeChip {
  #held: Held | undefined;
  /** What the machine measured when it last started. */
  measures: string;

  constructor(held?: Held, measures = bornMeasuring) {
    this.#held = held;
    this.measures = measures;
  }

  copy(): FakeChip {
    return new FakeChip(this.#held, this.measures);
  }

  get allowed(): readonly string[] {
    return this.#held?.allowed ?? [];
  }

  get identity(): Pair {
    if (!this.#held) throw new Error('there is none yet');
    return this.#held.identity;
  }

  /** The root and then G, as the store in a file has them. */
  bytes(): Uint8Array {
    return Buffer.concat([this.#held?.root ?? Buffer.alloc(0), this.#held?.g ?? Buffer.alloc(0)]);
  }

  put(bytes: Uint8Array): void {
    if (!this.#held) throw new Error('there is none yet');
    const [root, g] = [Uint8Array.from(bytes.subarray(0, 32)), Uint8Array.from(bytes.subarray(32))];
    this.#held = { ...this.#held, root, g };
  }

  /** True when both hold the same G. */
  sameG(other: FakeChip): boolean {
    return Buffer.compare(this.#held?.g ?? Buffer.alloc(0), other.#held?.g ?? Buffer.alloc(0)) === 0;
  }

  open(power: Power = new Power()): RootStore {
    const alive = async (): Promise<void> => {
      if (power.off) await new Promise(() => {});
    };
    const held = (): Held => {
      if (!this.#held) throw new Error('nothing is replaced before the root was loaded');
      return this.#held;
    };
    const { measures } = this;
    return {
      kind: 'file',
      exists: async () => {
        await alive();
        return this.#held !== undefined;
      },
      create: async () => {
        await power.point('before create');
        const identity = await makePair(2048);
        this.#held = { root: randomBytes(32), g: randomBytes(32), identity, allowed: [measures] };
        await power.point('after create');
        return ok(rootedOf(this.#held, measures));
      },
      load: async (): Promise<Result<Rooted>> => {
        await alive();
        if (!this.#held) return refuse('store-damaged', 'no root');
        if (!this.#held.allowed.includes(measures)) return refuse('tpm-measured-otherwise', measures);
        return ok(rootedOf(this.#held, measures));
      },
      replaceG: async (next) => {
        const before = held();
        await power.point('before replaceG');
        this.#held = { ...before, g: next.use((bytes) => Uint8Array.from(bytes)) };
        await power.point('after replaceG');
        return ok(undefined);
      },
      allow: async (next) => {
        const before = held();
        const allowed = next === undefined || next === measures ? [measures] : [measures, next];
        if (allowed.join() === before.allowed.join()) return ok(undefined);
        await power.point('before allow');
        this.#held = { ...before, allowed };
        await power.point('after allow');
        return ok(undefined);
      },
    };
  }
}

function rootedOf({ root, g, identity, allowed }: Held, digest: string): Rooted {
  const secrets = { root: Secret.take(Uint8Array.from(root)), g: Secret.take(Uint8Array.from(g)) };
  const measured = { digest, asApproved: allowed[0] !== digest };
  return { ...secrets, identity: signerOf(identity), measured };
}
