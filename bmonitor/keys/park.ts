import { openBox, sealBox } from '../../crypto/box.js';
import { derive } from '../../crypto/derive.js';
import { Secret } from '../../crypto/secret.js';
import type { KeyRing } from './ring.js';
import type { Chain } from './wrap.js';

/**
 * The K of a lease that is dark is not among the keys that are used: it is sealed away, and comes back with an extension. Where its level chose a
 * share, only the share brings it back. This keeps it out of the way of everything the node does; it is no shield against who reads
 * the node's memory, where the key that seals it is too.
 */
export function park(ring: KeyRing, chain: Chain): Pick<KeyRing, 'symmetric' | 'parked'> {
  const symmetric = new Map(ring.symmetric);
  const parked = new Map(ring.parked);
  for (const { lease, symmetric: id, status } of chain) {
    const outer = ring.outer.get(lease);
    if (id === undefined || !outer) continue;
    const sealer = derive(outer, Buffer.from(id), 'bmonitor parked key v1');
    const [key, box] = [symmetric.get(id), parked.get(id)];
    if (status === 'dark' && key) {
      if (!ring.locked.has(id))
        parked.set(
          id,
          key.use((bytes) => sealBox(sealer, contextOf(id), bytes)),
        );
      symmetric.delete(id);
    }
    if (status !== 'dark' && box) {
      const opened = openBox(sealer, contextOf(id), box);
      if (!opened) throw new Error('what was sealed away opens under the same key');
      symmetric.set(id, Secret.take(opened));
      parked.delete(id);
    }
    sealer.wipe();
  }
  return { symmetric, parked };
}

function contextOf(id: string): string {
  return `parked/${id}`;
}
