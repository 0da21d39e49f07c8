import { randomBytes } from 'node:crypto';
import { openBox, sealBox } from '../../crypto/box.js';
import { fromB64u, toB64u } from '../../crypto/bytes.js';
import {
  exportPrivate,
  importPrivate,
  publicKeyFromJwk,
  type Pair,
  type PublicKey,
} from '../../crypto/rsa.js';
import { Secret } from '../../crypto/secret.js';
import { stretch, stretchCost as cost } from '../../crypto/stretch.js';
import { bytesText, publicJwk } from '../../protocol/fields.js';
import { parseJson } from '../../protocol/json.js';
import { object, oneOf, text, whole, type Parsed } from '../../protocol/parse.js';
import { ok, refuse, type Result } from '../../protocol/result.js';

const fileForm = object({
  v: whole({ min: 1, max: 1 }),
  kind: oneOf('console-key'),
  key: publicJwk,
  // A file that asks for other work than ours could exhaust the machine, or have been made weak on purpose.
  kdf: object({
    name: oneOf('scrypt'),
    n: whole({ min: cost.n, max: cost.n }),
    r: whole({ min: cost.r, max: cost.r }),
    p: whole({ min: cost.p, max: cost.p }),
    salt: bytesText(32),
  }),
  box: text({ max: 8000, pattern: /^[A-Za-z0-9_-]+$/, form: 'base64url' }),
});
type KeyFile = Parsed<typeof fileForm>;

/** What the box is bound to: everything else in the file. */
function contextOf(file: Omit<KeyFile, 'box'>): string {
  return JSON.stringify([file.v, file.kind, file.key.n, file.key.e, file.kdf.salt]);
}

/** The pair of a console as it rests in its file. */
export async function sealPair(pair: Pair, passphrase: Secret): Promise<string> {
  const salt = randomBytes(32);
  const key = await stretch(passphrase, salt);
  const file = new KeySealer(key, toB64u(salt)).seal(pair);
  key.wipe();
  return file;
}

/**
 * What the passphrase of a key file was stretched to, with its salt: a daemon that replaces its key puts the next one under the same passphrase without
 * knowing it. It opens no more than the pair itself does that the daemon holds anyway.
 */
export class KeySealer {
  readonly #key: Secret;
  readonly #salt: string;

  constructor(key: Secret, salt: string) {
    this.#key = key;
    this.#salt = salt;
  }

  static async of(content: string, passphrase: Secret): Promise<Result<KeySealer>> {
    const file = parseFile(content);
    if (!file.ok) return file;
    const { salt } = file.value.kdf;
    return ok(new KeySealer(await stretch(passphrase, fromB64u(salt) ?? new Uint8Array()), salt));
  }

  seal(pair: Pair): string {
    const head = {
      v: 1,
      kind: 'console-key',
      key: pair.public.jwk,
      kdf: { name: 'scrypt', ...cost, salt: this.#salt },
    } as const;
    const inner = exportPrivate(pair);
    const box = inner.use((bytes) => sealBox(this.#key, contextOf(head), bytes));
    inner.wipe();
    return `${JSON.stringify({ ...head, box: toB64u(box) }, null, 2)}\n`;
  }

  open(content: string): Result<Pair> {
    const file = parseFile(content);
    if (!file.ok) return file;
    const plain = openBox(this.#key, contextOf(file.value), fromB64u(file.value.box) ?? new Uint8Array());
    if (!plain) return refuse('wrong-passphrase');
    const inner = Secret.take(plain);
    const pair = importPrivate(inner);
    inner.wipe();
    return pair.public.jwk.n === file.value.key.n ? ok(pair) : refuse('wrong-passphrase');
  }

  wipe(): void {
    this.#key.wipe();
  }
}

function parseFile(content: string): Result<KeyFile> {
  const json = parseJson(content);
  return json.ok ? fileForm(json.value, '') : json;
}

/** The public half, for which no passphrase is needed. */
export function publicOf(content: string): Result<PublicKey> {
  const file = parseFile(content);
  if (!file.ok) return file;
  const key = publicKeyFromJwk(file.value.key);
  return key ? ok(key) : refuse('weak-key');
}

export async function openPair(content: string, passphrase: Secret): Promise<Result<Pair>> {
  const sealer = await KeySealer.of(content, passphrase);
  if (!sealer.ok) return sealer;
  const pair = sealer.value.open(content);
  sealer.value.wipe();
  return pair;
}
