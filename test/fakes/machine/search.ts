import { openBox } from '../../../crypto/box.js';
import type { Secret } from '../../../crypto/secret.js';
import type { KeyRing } from '../../../bmonitor/keys/ring.js';
import { openWrapped } from '../../../bmonitor/keys/wrap.js';
import type { NodeState } from '../../../bmonitor/node/state.js';
import type { FakeDisk } from './disk.js';

/** What whoever looks for a tenant's data has in hand. */
export interface Loot {
  /** Tried on everything that lies on the disks. */
  readonly keys: readonly Secret[];
  /** Every choice of these is tried on what wraps the data key. */
  readonly shares: Parameters<typeof openWrapped>[2];
}

/** The K of the levels whose leases are named, as far as the node has them open. */
export function sharesOf(
  ring: Pick<KeyRing, 'symmetric'>,
  { levels }: Pick<NodeState, 'levels'>,
  has: (lease: string) => boolean = () => true,
): Loot['shares'] {
  return levels.flatMap(({ lease, symmetric: keyId }, level) => {
    const key = keyId === undefined || !has(lease) ? undefined : ring.symmetric.get(keyId);
    return key && keyId !== undefined ? [{ level, leaseId: lease, keyId, key }] : [];
  });
}

/** The places of a tenant's that open, on any of the disks, and its data key if that does. */
export function opened(
  { keys, shares }: Loot,
  disks: readonly FakeDisk[],
  {
    tenant,
    wrapped,
  }: { readonly tenant: string; readonly wrapped: Parameters<typeof openWrapped>[0] | undefined },
): readonly string[] {
  const found: string[] = [];
  for (const disk of disks)
    for (const place of disk.keys().filter((one) => one.split('/')[1] === tenant)) {
      const box = disk.valueAt(place);
      if (box && keys.some((key) => openBox(key, place, box) !== undefined)) found.push(place);
    }
  if (!wrapped) return found;
  for (let choice = 0; choice < 2 ** shares.length; choice += 1)
    if (
      openWrapped(
        wrapped,
        tenant,
        shares.filter((_, at) => (choice >> at) & 1),
      )
    )
      found.push('the data key');
  return found;
}
