import { randomBytes } from 'node:crypto';
import { openBox, sealBox } from '../../crypto/box.js';
import { fromB64u, toB64u } from '../../crypto/bytes.js';
import { derive } from '../../crypto/derive.js';
import { exportPrivate, type Pair } from '../../crypto/rsa.js';
import { Secret } from '../../crypto/secret.js';
import { digestText } from '../../protocol/fields.js';
import { object, text } from '../../protocol/parse.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { KeyStore } from '../store/port.js';
import { Records } from '../store/records.js';

/**
 * Seals small secrets that a console must be able to use again and that must not lie open in its store. The vault's key is
 * random and rests sealed under the console's own pair, so a stolen disk without the passphrase opens nothing.
 */
export interface Vault {
  seal(context: string, secret: Secret): string;
  open(context: string, sealed: string): Secret | undefined;
}

const keyForm = object({ pair: digestText, box: text({ max: 400 }) });
const context = 'console vault key v1';

export async function openVault(store: KeyStore, pair: Pair): Promise<Result<Vault>> {
  const records = new Records(store, 'vault/', keyForm);
  const inner = exportPrivate(pair);
  const outer = derive(inner, new Uint8Array(), context);
  inner.wipe();
  const found = await records.get('key');
  if (!found.ok && found.refusal.code !== 'not-found') return found;
  if (found.ok) {
    const plain = openBox(outer, context, fromB64u(found.value.value.box) ?? new Uint8Array());
    outer.wipe();
    return plain
      ? ok(vaultOver(Secret.take(plain)))
      : refuse('store-unreadable', 'the vault was sealed by another key of this console');
  }
  const key = Secret.take(randomBytes(32));
  const box = key.use((bytes) => toB64u(sealBox(outer, context, bytes)));
  outer.wipe();
  const written = await records.put('key', { pair: pair.public.id, box }, 0);
  return written.ok ? ok(vaultOver(key)) : written;
}

function vaultOver(key: Secret): Vault {
  return {
    seal: (what, secret) => secret.use((bytes) => toB64u(sealBox(key, what, bytes))),
    open(what, sealed) {
      const bytes = fromB64u(sealed);
      const plain = bytes && openBox(key, what, bytes);
      return plain && Secret.take(plain);
    },
  };
}
