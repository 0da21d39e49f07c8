import { makePair } from '../../crypto/rsa.js';
import { selfSignedPem } from '../../crypto/certificate.js';
import { parseJson } from '../../protocol/json.js';
import type { Log } from '../../protocol/log.js';
import { object, whole } from '../../protocol/parse.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { certificatePin } from '../../protocol/pin.js';
import { newToken, tokenDigest } from '../api/access.js';
import { openLevelStore } from '../store/level.js';
import { serveStore, type StoreService } from '../store/service.js';
import { address } from './config.js';
import { join } from 'node:path';
import { consoleFiles, makeFolder, readFileLimited, readSecretFile, writeFilesWhole } from './files.js';

const form = object({ v: whole({ min: 1, max: 1 }), host: address, port: whole({ min: 0, max: 65_535 }) });

/** The directory of a store service has the TLS pair, the token and the store under the names they have in a console's. */
function filesOf(dir: string) {
  const { tlsKey, tlsCertificate, token, store } = consoleFiles(dir);
  return { tlsKey, tlsCertificate, token, store, config: join(dir, 'store.json') };
}

export async function initStore(
  dir: string,
  options: { readonly host: string; readonly port: number; readonly keyBits: number },
): Promise<Result<true>> {
  const files = filesOf(dir);
  const { host, port } = options;
  const config = form({ v: 1, host, port }, '--listen');
  if (!config.ok) return config;
  const made = makeFolder(dir);
  if (!made.ok) return made;
  if (readFileLimited(files.config).ok || readFileLimited(consoleFiles(dir).key).ok)
    return refuse('already-there', `${dir} holds a store service or a console`);
  const tls = await makePair(options.keyBits);
  return writeFilesWhole([
    [files.tlsKey, tls.private.export({ type: 'pkcs8', format: 'pem' }).toString(), 0o600],
    [files.tlsCertificate, selfSignedPem(tls, 'store', [host]), 0o644],
    [files.token, `${newToken()}\n`, 0o600],
    [files.config, `${JSON.stringify(config.value)}\n`, 0o600],
  ]);
}

function configIn(dir: string): Result<{ readonly host: string; readonly port: number }> {
  const content = readFileLimited(filesOf(dir).config);
  const json = content.ok ? parseJson(content.value) : content;
  return json.ok ? form(json.value, 'store.json') : json;
}

/** wss://HOST:PORT#PIN */
export function storeAddress(dir: string): Result<string> {
  const config = configIn(dir);
  if (!config.ok) return config;
  const certificate = readFileLimited(filesOf(dir).tlsCertificate);
  if (!certificate.ok) return certificate;
  const { host, port } = config.value;
  const at = host.includes(':') ? `[${host}]` : host;
  return ok(`wss://${at}:${port}#${certificatePin(certificate.value)}`);
}

export async function runStore(dir: string, log: Log): Promise<Result<StoreService>> {
  const files = filesOf(dir);
  const config = configIn(dir);
  if (!config.ok) return config;
  const key = readSecretFile(files.tlsKey);
  if (!key.ok) return key;
  const cert = readFileLimited(files.tlsCertificate);
  if (!cert.ok) return cert;
  const token = readSecretFile(files.token);
  if (!token.ok) return token;
  const store = await openLevelStore(files.store);
  if (!store.ok) return store;
  const served = await serveStore({
    store: store.value,
    ...config.value,
    tls: { cert: cert.value.toString(), key: key.value.toString() },
    token: tokenDigest(token.value.toString().trim()),
    log,
  });
  if (!served.ok) await store.value.close();
  return served;
}
