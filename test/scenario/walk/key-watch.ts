import type { KeyRing } from '../../../bmonitor/keys/ring.js';
import type { Level, NodeState } from '../../../bmonitor/node/state.js';
import type { Secret } from '../../../crypto/secret.js';
import type { FakeDisk } from '../../fakes/machine/disk.js';
import type { Running } from '../../fakes/machine/machine.js';
import { opensAnything } from '../../fakes/machine/sound.js';

interface Held {
  readonly pairs: Set<string>;
  readonly symmetric: Set<string>;
  /** The keys themselves, as somebody would have them who had copied the memory. */
  readonly keys: Set<string>;
}

/**
 * Promise 5, seen from outside: remembers every key that a lease ever had, and says what of it is still there after the lease ended, or after its
 * data was destroyed.
 */
export class KeyWatch {
  readonly #held = new Map<string, Held>();
  /** Data keys of leases that go on, by the epoch in which they held. */
  readonly #data = new Map<string, { readonly epoch: number; readonly key: string }>();

  /** A spare pair that is made is a new one, whatever its name was before. */
  made(pair: string): void {
    for (const { pairs } of this.#held.values()) pairs.delete(pair);
  }

  /** Was this pair ever of a lease? */
  used(pair: string): boolean {
    return [...this.#held.values()].some(({ pairs }) => pairs.has(pair));
  }

  /** What is wrong, in words. `older` are copies of the disk from before. */
  look({ core, ...running }: Running, ring: KeyRing, where: string, older: readonly FakeDisk[]): string[] {
    const { state } = core;
    const living = new Set(state.levels.map(({ lease }) => lease));
    const wrong: string[] = [];
    const here = keysIn(ring);
    const named = new Set([...ring.symmetric.keys(), ...ring.locked.keys()]);
    for (const [lease, held] of this.#held) {
      if (living.has(lease)) continue;
      const rooms = [ring.data, ring.outer, ring.wrapped];
      if (rooms.some((room) => room.has(lease)))
        wrong.push(`a key of the ended lease ${lease} in the ${where}`);
      for (const pair of held.pairs)
        if (ring.pairs.has(pair) || ring.pool.includes(pair)) wrong.push(`its pair ${pair} in the ${where}`);
      for (const id of held.symmetric) if (named.has(id)) wrong.push(`its K ${id} in the ${where}`);
      for (const key of held.keys) if (here.has(key)) wrong.push(`bytes of one of its keys in the ${where}`);
      for (const disk of older)
        if (opensAnything({ core, ...running }, disk, lease)) wrong.push(`an older disk opens for ${lease}`);
    }
    wrong.push(...this.#destroyedData(state, ring, where));
    return wrong;
  }

  remember(state: NodeState, ring: KeyRing): void {
    for (const level of state.levels) this.#rememberLevel(level, ring);
  }

  #rememberLevel({ lease, epoch, pair, previous, symmetric }: Level, ring: KeyRing): void {
    const held = this.#held.get(lease) ?? { pairs: new Set(), symmetric: new Set(), keys: new Set() };
    this.#held.set(lease, held);
    held.pairs.add(pair.id);
    if (previous) held.pairs.add(previous.id);
    if (symmetric !== undefined) held.symmetric.add(symmetric);
    const k = symmetric === undefined ? undefined : ring.symmetric.get(symmetric);
    for (const secret of [k, ring.data.get(lease), ring.outer.get(lease)])
      if (secret) held.keys.add(textOf(secret));
    const data = ring.data.get(lease);
    if (data) this.#data.set(lease, { epoch, key: textOf(data) });
  }

  /** A data key that was replaced is nowhere any more, also while its lease goes on. */
  #destroyedData(state: NodeState, ring: KeyRing, where: string): string[] {
    const here = keysIn(ring);
    return state.levels.flatMap(({ lease, epoch }) => {
      const before = this.#data.get(lease);
      return before && before.epoch !== epoch && here.has(before.key)
        ? [`the data key of ${lease} from before in the ${where}`]
        : [];
    });
  }
}

function keysIn(ring: KeyRing): ReadonlySet<string> {
  const secrets = [...ring.symmetric.values(), ...ring.data.values(), ...ring.outer.values(), ring.salt];
  return new Set(secrets.map(textOf));
}

function textOf(secret: Secret): string {
  return secret.use((bytes) => Buffer.from(bytes).toString('base64'));
}
