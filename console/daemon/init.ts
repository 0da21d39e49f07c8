import { makePair } from '../../crypto/rsa.js';
import type { Secret } from '../../crypto/secret.js';
import type { ConsoleCard } from '../../protocol/console-card.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { newToken } from '../api/access.js';
import { selfSignedPem } from '../../crypto/certificate.js';
import { sealPair } from '../keys/file.js';
import type { ConsoleConfig } from './config.js';
import { consoleFiles, isInitialised, makeFolder, writeFilesWhole } from './files.js';

export interface InitOptions {
  readonly dir: string;
  readonly config: ConsoleConfig;
  readonly passphrase: Secret;
  readonly keyBits: number;
}

export interface Initialised {
  /** Thumbprint of the console's key, to be compared by telephone or on paper. */
  readonly id: string;
  readonly card: string;
}

/** Makes everything a console starts with. What is there is never overwritten: its key may be enrolled somewhere. */
export async function initConsole(options: InitOptions): Promise<Result<Initialised>> {
  const files = consoleFiles(options.dir);
  const made = makeFolder(options.dir);
  if (!made.ok) return made;
  if (isInitialised(files)) return refuse('already-there', `${options.dir} holds a console`);
  const pair = await makePair(options.keyBits);
  const tls = await makePair(options.keyBits);
  const { name, api, gateway } = options.config;
  const card: ConsoleCard = { v: 1, kind: 'console-card', name, key: pair.public.jwk };
  const hosts = [...new Set([api.host, gateway?.host ?? api.host, 'localhost', ...api.names])];
  const written = writeFilesWhole([
    [files.tlsKey, tls.private.export({ type: 'pkcs8', format: 'pem' }).toString(), 0o600],
    [files.tlsCertificate, selfSignedPem(tls, name, hosts), 0o644],
    [files.token, `${newToken()}\n`, 0o600],
    [files.card, `${JSON.stringify(card, null, 2)}\n`, 0o644],
    [files.config, `${JSON.stringify(options.config, null, 2)}\n`, 0o600],
    // The key comes last: a directory without one is not a console yet and can be initialised again.
    [files.key, await sealPair(pair, options.passphrase), 0o600],
  ]);
  if (!written.ok) return written;
  return ok({ id: pair.public.id, card: files.card });
}
