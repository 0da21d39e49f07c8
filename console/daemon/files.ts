import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { limits } from '../../protocol/limits.js';
import { messageOf } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';

/** What lies in the directory of a console. */
export function consoleFiles(dir: string) {
  return {
    config: join(dir, 'console.json'),
    /** The console's pair, sealed under the passphrase. */
    key: join(dir, 'key.json'),
    /** While the key is replaced: the next one, and afterwards the one before, each sealed under the same passphrase. */
    nextKey: join(dir, 'key.next.json'),
    oldKey: join(dir, 'key.old.json'),
    nextCard: join(dir, 'console.next.pub.json'),
    /** Which store of the operating system has the passphrase, if one has. */
    kept: join(dir, 'passphrase-store.json'),
    /** The passphrase, sealed by systemd for this machine, if it is kept that way. */
    credential: join(dir, 'passphrase.cred'),
    /** Its public half, to be enrolled elsewhere. */
    card: join(dir, 'console.pub.json'),
    /** Whoever can read it administers this console. */
    token: join(dir, 'token'),
    tlsKey: join(dir, 'tls.key'),
    tlsCertificate: join(dir, 'tls.pem'),
    store: join(dir, 'store'),
    /** Lets this console in at the store service that it shares with others. */
    storeToken: join(dir, 'store-token'),
    /** Where the running daemon listens. */
    running: join(dir, 'running.json'),
  };
}
export type ConsoleFiles = ReturnType<typeof consoleFiles>;

export function makeFolder(dir: string): Result<true> {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    return ok(true);
  } catch (error) {
    return refuse('cannot-write', messageOf(error));
  }
}

type FileToWrite = readonly [path: string, content: string | Uint8Array, mode: number];

/** One after the other, so that the last one says that all are there. */
export function writeFilesWhole(files: readonly FileToWrite[]): Result<true> {
  for (const [path, content, mode] of files) {
    const written = writeFileWhole(path, content, mode);
    if (!written.ok) return written;
  }
  return ok(true);
}

/** Whole or not at all, and on the disk when it returns. */
export function writeFileWhole(path: string, content: string | Uint8Array, mode = 0o600): Result<true> {
  const beside = `${path}.${process.pid}.new`;
  try {
    const file = openSync(beside, 'w', mode);
    try {
      writeSync(file, typeof content === 'string' ? Buffer.from(content) : content);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(beside, path);
    const folder = openSync(dirname(path), 'r');
    fsyncSync(folder);
    closeSync(folder);
    return ok(true);
  } catch (error) {
    return refuse('cannot-write', messageOf(error));
  }
}

export function readFileLimited(path: string, bytes_max: number = limits.file_bytes_max): Result<Buffer> {
  try {
    const { size } = statSync(path);
    if (size > bytes_max) return refuse('too-large', `${path} has ${size} bytes, at most ${bytes_max}`);
    return ok(readFileSync(path));
  } catch (error) {
    return refuse('not-found', messageOf(error));
  }
}

/** A file with a secret that others could read is not used. */
export function readSecretFile(path: string): Result<Buffer> {
  const content = readFileLimited(path, limits.key_file_bytes_max);
  if (!content.ok) return content;
  const { mode } = statSync(path);
  return (mode & 0o077) === 0
    ? content
    : refuse('open-secret-file', `${path} has mode ${(mode & 0o777).toString(8)}`);
}

export function isInitialised(files: ConsoleFiles): boolean {
  return existsSync(files.key) || existsSync(files.config);
}
