import { createPrivateKey, randomBytes } from 'node:crypto';
import { openBox, sealBox } from '../../crypto/box.js';
import { fromB64u, toB64u } from '../../crypto/bytes.js';
import { selfSignedPem } from '../../crypto/certificate.js';
import { importPrivate } from '../../crypto/rsa.js';
import { Secret } from '../../crypto/secret.js';
import { stretch } from '../../crypto/stretch.js';
import { bytesText } from '../../protocol/fields.js';
import { parseJson } from '../../protocol/json.js';
import { limits } from '../../protocol/limits.js';
import { object, oneOf, text, whole } from '../../protocol/parse.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { openPair } from '../keys/file.js';
import { configForm, readConfig, type ConsoleConfig } from './config.js';
import {
  consoleFiles,
  isInitialised,
  makeFolder,
  readFileLimited,
  readSecretFile,
  writeFilesWhole,
} from './files.js';

/**
 * A console's other half: everything that makes it this console (its key, its TLS key, its tokens, where its store is), so that a second
 * machine can be the same console and stand by. It rests under the passphrase of the key, like the key itself.
 */
const twinForm = object({
  v: whole({ min: 1, max: 1 }),
  kind: oneOf('console-twin'),
  salt: bytesText(32),
  box: text({ max: limits.file_bytes_max }),
});
const contentForm = object({
  key: text({ max: 20_000 }),
  card: text({ max: 20_000 }),
  tlsKey: text({ max: 20_000 }),
  token: text({ max: 200 }),
  storeToken: text({ max: 200 }),
  config: configForm,
});
const context = 'console twin v1';

/** Made from the directory of a console that uses a store service. */
export async function makeTwin(dir: string, passphrase: Secret): Promise<Result<string>> {
  const files = consoleFiles(dir);
  const config = readConfig(files.config);
  if (!config.ok) return config;
  if (!config.value.store) return refuse('no-shared-store', dir);
  const key = readSecretFile(files.key);
  if (!key.ok) return key;
  const opened = await openPair(key.value.toString(), passphrase);
  if (!opened.ok) return opened;
  const read: Record<string, string> = { key: key.value.toString() };
  const wanted = { card: files.card, tlsKey: files.tlsKey, token: files.token, storeToken: files.storeToken };
  for (const [name, path] of Object.entries(wanted)) {
    const content = name === 'card' ? readFileLimited(path) : readSecretFile(path);
    if (!content.ok) return content;
    read[name] = content.value.toString();
  }
  const salt = randomBytes(32);
  const outer = await stretch(passphrase, salt);
  const plain = Buffer.from(JSON.stringify({ ...read, config: config.value }));
  const box = sealBox(outer, context, plain);
  plain.fill(0);
  outer.wipe();
  return ok(`${JSON.stringify({ v: 1, kind: 'console-twin', salt: toB64u(salt), box: toB64u(box) })}\n`);
}

/** Where the second machine differs from the first. */
export type Own = Pick<ConsoleConfig, 'api' | 'gateway' | 'dhcp' | 'instance'>;

export async function initFromTwin(
  dir: string,
  twin: string,
  passphrase: Secret,
  own: Own,
): Promise<Result<{ readonly id: string; readonly card: string }>> {
  const files = consoleFiles(dir);
  const made = makeFolder(dir);
  if (!made.ok) return made;
  if (isInitialised(files)) return refuse('already-there', `${dir} holds a console`);
  const json = parseJson(Buffer.from(twin));
  const outside = json.ok ? twinForm(json.value, '') : json;
  if (!outside.ok) return outside;
  const outer = await stretch(passphrase, fromB64u(outside.value.salt) ?? new Uint8Array());
  const plain = openBox(outer, context, fromB64u(outside.value.box) ?? new Uint8Array());
  outer.wipe();
  if (!plain) return refuse('wrong-passphrase');
  const inside = parseJson(plain);
  plain.fill(0);
  const content = inside.ok ? contentForm(inside.value, '') : inside;
  if (!content.ok) return content;
  const { key, card, tlsKey, token, storeToken, config } = content.value;
  const pair = await openPair(key, passphrase);
  if (!pair.ok) return pair;
  if (own.instance === (config.instance ?? ''))
    return refuse('already-there', `an instance ${own.instance ?? ''}`);
  // The same TLS key, so that every pin still fits; a certificate of its own, for its own names.
  const tls = importPrivate(Secret.take(createPrivateKey(tlsKey).export({ type: 'pkcs8', format: 'der' })));
  const hosts = [
    ...new Set([own.api.host, own.gateway?.host ?? own.api.host, 'localhost', ...own.api.names]),
  ];
  const { gateway: _, dhcp: __, ...rest } = config;
  const written = writeFilesWhole([
    [files.tlsKey, tlsKey, 0o600],
    [files.tlsCertificate, selfSignedPem(tls, config.name, hosts), 0o644],
    [files.token, token, 0o600],
    [files.storeToken, storeToken, 0o600],
    [files.card, card, 0o644],
    [files.config, `${JSON.stringify({ ...rest, ...own }, null, 2)}\n`, 0o600],
    [files.key, key, 0o600],
  ]);
  if (!written.ok) return written;
  return ok({ id: pair.value.public.id, card: files.card });
}
