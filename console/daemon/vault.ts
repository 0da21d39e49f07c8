import { randomBytes } from 'node:crypto';
import { openBox, sealBox } from '../../crypto/box.js';
import { fromB64u, toB64u } from '../../crypto/bytes.js';
import { derive } from '../../crypto/derive.js';
import { exportPrivate, type Pair } from '../../crypto/rsa.js';
import { Secret } from '../../crypto/secret.js';
import { digestText } from '../../protocol/fields.js';
import { object, optional, text } from '../../protocol/parse.js';
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

const boxForm = { pair: digestText, box: text({ max: 400 }) };
/** `also`: while the console's key is replaced, the same under the other one. */
const keyForm = object({ ...boxForm, also: optional(object(boxForm)) });
const context = 'console vault key v1';

export async function openVault(store: KeyStore, pair: Pair): Promise<Result<Vault>> {
  const records = new Records(store, 'vault/', keyForm);
  const found = await records.get('key');
  if (!found.ok && found.refusal.code !== 'not-found') return found;
  if (found.ok) {
    const { value } = found.value;
    const mine = value.also?.pair === pair.public.id ? value.also : value;
    const plain = openUnder(pair, mine.box);
    return plain
      ? ok(vaultOver(plain))
      : refuse('store-unreadable', 'the vault was sealed by another key of this console');
  }
  const key = Secret.take(randomBytes(32));
  const written = await records.put('key', { pair: pair.public.id, box: sealUnder(pair, key) }, 0);
  return written.ok ? ok(vaultOver(key)) : written;
}

/** Makes the vault open under the next key of the console too, or under none but the present one. Can be called again at any time. */
export async function reboxVault(store: KeyStore, pair: Pair, next?: Pair): Promise<Result<void>> {
  const records = new Records(store, 'vault/', keyForm);
  const found = await records.get('key');
  // A console that never kept a secret has no vault yet.
  if (!found.ok) return found.refusal.code === 'not-found' ? ok(undefined) : found;
  const { value, revision } = found.value;
  const mine = value.also?.pair === pair.public.id ? value.also : value;
  const plain = openUnder(pair, mine.box);
  if (!plain) return refuse('store-unreadable', 'the vault was sealed by another key of this console');
  const also = next && { also: { pair: next.public.id, box: sealUnder(next, plain) } };
  plain.wipe();
  const written = await records.put('key', { pair: mine.pair, box: mine.box, ...also }, revision);
  return written.ok ? ok(undefined) : written;
}

function sealUnder(pair: Pair, key: Secret): string {
  const outer = outerOf(pair);
  const box = key.use((bytes) => toB64u(sealBox(outer, context, bytes)));
  outer.wipe();
  return box;
}

function openUnder(pair: Pair, box: string): Secret | undefined {
  const outer = outerOf(pair);
  const plain = openBox(outer, context, fromB64u(box) ?? new Uint8Array());
  outer.wipe();
  return plain && Secret.take(plain);
}

function outerOf(pair: Pair): Secret {
  const inner = exportPrivate(pair);
  const outer = derive(inner, new Uint8Array(), context);
  inner.wipe();
  return outer;
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
