import { openBox, sealBox } from '../../crypto/box.js';
import { derive } from '../../crypto/derive.js';
import { utf8 } from '../../crypto/jose.js';
import { Secret } from '../../crypto/secret.js';
import { unpackRing } from '../keys/pack.js';
import type { KeyRing } from '../keys/ring.js';
import type { RootSecrets } from '../ports/root-store.js';
import type { Store } from '../ports/store.js';
import type { FilterBlock } from './filter-state.js';
import { blockKey, rootKey } from './places.js';
import { pickRootState } from './root-state.js';
import type { NodeState } from './state.js';

/** The root: the state and the ring, in one box under a key from the root secret and G. */
function rootSealKey(secrets: RootSecrets): Secret {
  return secrets.g.use((g) => derive(secrets.root, g, 'bmonitor state v1'));
}

/** `packed` is the ring as it rests, of whoever keeps it so. */
export function sealRoot(secrets: RootSecrets, state: NodeState, packed: Secret): Uint8Array {
  const stateBytes = utf8(JSON.stringify(pickRootState(state)));
  const head = Buffer.alloc(4);
  head.writeUInt32BE(stateBytes.length);
  const plaintext = packed.use((bytes) => Buffer.concat([head, stateBytes, bytes]));
  const box = sealBox(rootSealKey(secrets), rootKey(state.generation), plaintext);
  plaintext.fill(0);
  return box;
}

export function openRoot(secrets: RootSecrets, key: string, sealed: Uint8Array) {
  const plaintext = openBox(rootSealKey(secrets), key, sealed);
  if (!plaintext) return undefined;
  const buffer = Buffer.from(plaintext.buffer, plaintext.byteOffset, plaintext.byteLength);
  const end = 4 + buffer.readUInt32BE(0);
  const root: unknown = JSON.parse(buffer.toString('utf8', 4, end));
  const chain = (root as Pick<NodeState, 'levels'>).levels;
  const ring = unpackRing(Secret.take(Uint8Array.from(buffer.subarray(end))), chain);
  buffer.fill(0);
  return ring && { root, ring };
}

/** What rests under either key of a lease. */
export function openWithEither(
  ring: KeyRing,
  lease: string,
  key: string,
  box: Uint8Array,
): Uint8Array | undefined {
  const [data, outer] = [ring.data.get(lease), ring.outer.get(lease)];
  return (data && openBox(data, key, box)) ?? (outer && openBox(outer, key, box));
}

export async function readBlock(
  store: Store,
  ring: KeyRing,
  lease: string,
  id: string,
): Promise<FilterBlock | undefined> {
  const key = blockKey(lease, id);
  const outer = ring.outer.get(lease);
  const box = outer && (await store.get(key));
  const bytes = box && openBox(outer, key, box);
  return bytes && { id, filters: JSON.parse(Buffer.from(bytes).toString('utf8')) as FilterBlock['filters'] };
}
