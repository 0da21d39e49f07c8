import { openBox, sealBox } from '../../crypto/box.js';
import { derive } from '../../crypto/derive.js';
import { Secret } from '../../crypto/secret.js';

/** A K sealed by a share that only the level's console keeps: so a whole stolen node stays dark. */
export function sealShared(share: Secret, id: string, key: Secret): Uint8Array {
  return key.use((bytes) => sealBox(sealerOf(share, id), contextOf(id), bytes));
}

/** Undefined when it is not the share, or there is nothing to open. */
export function openShared(share: Secret, id: string, box: Uint8Array | undefined): Secret | undefined {
  const opened = box && openBox(sealerOf(share, id), contextOf(id), box);
  return opened && Secret.take(opened);
}

function sealerOf(share: Secret, id: string): Secret {
  return derive(share, Buffer.from(id), 'bmonitor unlock share v1');
}

function contextOf(id: string): string {
  return `shared/${id}`;
}
