import { spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { fromB64u, toB64u } from '../../crypto/bytes.js';
import { Secret } from '../../crypto/secret.js';
import { digestText } from '../../protocol/fields.js';
import { limits } from '../../protocol/limits.js';
import { messageOf } from '../../protocol/log.js';
import { parseJson } from '../../protocol/json.js';
import { object, oneOf, whole, type Parsed } from '../../protocol/parse.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { readFileLimited, writeFileWhole, type ConsoleFiles } from '../daemon/files.js';

/**
 * Where the passphrase of a console's key can rest, so that nobody needs to type it:
 *
 * - `secret-service`: the keyring of the desktop session (through secret-tool), open while its owner is logged in;
 * - `keyring`: the kernel's keyring of this user (through keyctl), in memory only, until the machine is switched off;
 * - `systemd`: a file that only this machine opens, by its TPM where it has one (through systemd-creds), for a console that runs as a service.
 */
export const keptKinds = ['secret-service', 'keyring', 'systemd'] as const;
export type KeptKind = (typeof keptKinds)[number];

const markForm = object({ v: whole({ min: 1, max: 1 }), kind: oneOf(...keptKinds), key: digestText });
type Mark = Parsed<typeof markForm>;

/** Undefined: it is kept nowhere, and a person is asked. */
export function keptWhere({ kept }: Pick<ConsoleFiles, 'kept'>): Result<Mark | undefined> {
  if (!existsSync(kept)) return ok(undefined);
  const content = readFileLimited(kept);
  const json = content.ok ? parseJson(content.value) : content;
  return json.ok ? markForm(json.value, kept) : json;
}

/** Puts the passphrase into the store first, and reads it back; only then the mark says that it is there. */
export async function keep(
  files: ConsoleFiles,
  kind: KeptKind,
  key: string,
  passphrase: Secret,
): Promise<Result<true>> {
  const put = await stores[kind].put(files, key, passphrase);
  if (!put.ok) return put;
  const back = await stores[kind].get(files, key);
  if (!back.ok) return back;
  const same = back.value.equals(passphrase);
  back.value.wipe();
  if (!same) return refuse('key-store-failed', `${kind} gives back something else than it was given`);
  return writeFileWhole(files.kept, `${JSON.stringify({ v: 1, kind, key })}\n`, 0o600);
}

export async function fromKept(files: ConsoleFiles, { kind, key }: Mark): Promise<Result<Secret>> {
  return stores[kind].get(files, key);
}

export async function forget(files: ConsoleFiles, { kind, key }: Mark): Promise<Result<true>> {
  const gone = await stores[kind].forget(files, key);
  if (gone.ok) rmSync(files.kept, { force: true });
  return gone;
}

interface Store {
  put(files: ConsoleFiles, key: string, passphrase: Secret): Promise<Result<true>>;
  get(files: ConsoleFiles, key: string): Promise<Result<Secret>>;
  forget(files: ConsoleFiles, key: string): Promise<Result<true>>;
}

const named = (key: string): string => `bmonitor-console-${key}`;
const attributes = (key: string): string[] => ['application', 'bmonitor', 'console', key];

const stores: Readonly<Record<KeptKind, Store>> = {
  'secret-service': {
    put: async (_files, key, passphrase) =>
      done(
        tool(
          'secret-tool',
          ['store', `--label=BMonitor console ${key}`, ...attributes(key)],
          encoded(passphrase),
        ),
      ),
    get: async (_files, key) => decoded(await tool('secret-tool', ['lookup', ...attributes(key)])),
    forget: async (_files, key) => done(tool('secret-tool', ['clear', ...attributes(key)])),
  },
  keyring: {
    async put(_files, key, passphrase) {
      const added = await tool('keyctl', ['padd', 'user', named(key), '@u'], encoded(passphrase));
      if (!added.ok) return added;
      // Without this only the session that put it there could read it, and a service has a session of its own.
      return done(tool('keyctl', ['setperm', added.value.toString().trim(), '0x3f3f0000']));
    },
    async get(_files, key) {
      const found = await tool('keyctl', ['search', '@u', 'user', named(key)]);
      if (!found.ok) return found;
      return decoded(await tool('keyctl', ['pipe', found.value.toString().trim()]));
    },
    async forget(_files, key) {
      const found = await tool('keyctl', ['search', '@u', 'user', named(key)]);
      // The machine was switched off since: there is nothing to forget.
      if (!found.ok) return ok(true);
      return done(tool('keyctl', ['unlink', found.value.toString().trim(), '@u']));
    },
  },
  systemd: {
    put: async (files, key, passphrase) =>
      done(
        tool(
          'systemd-creds',
          ['encrypt', `--name=${named(key)}`, '-', files.credential],
          encoded(passphrase),
        ),
      ),
    get: async (files, key) =>
      decoded(await tool('systemd-creds', ['decrypt', `--name=${named(key)}`, files.credential, '-'])),
    forget: (files) => {
      rmSync(files.credential, { force: true });
      return Promise.resolve(ok(true));
    },
  },
};

/** As text, since not all stores take any bytes. */
function encoded(passphrase: Secret): Buffer {
  return passphrase.use((bytes) => Buffer.from(toB64u(bytes)));
}

function decoded(said: Result<Buffer>): Result<Secret> {
  if (!said.ok) return said;
  const bytes = fromB64u(said.value.toString().trim());
  said.value.fill(0);
  return bytes && bytes.length > 0 ? ok(Secret.take(bytes)) : refuse('key-store-failed', 'it is not there');
}

async function done(said: Promise<Result<Buffer>>): Promise<Result<true>> {
  const result = await said;
  return result.ok ? ok(true) : result;
}

/** The secret goes in and comes out through pipes: arguments and environments are for everybody to read. */
async function tool(program: string, args: readonly string[], input?: Buffer): Promise<Result<Buffer>> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: limits.key_store_ms_max });
    const out: Buffer[] = [];
    let complaint = '';
    child.stdout.on('data', (piece: Buffer) => out.push(piece));
    child.stderr.on('data', (piece: Buffer) => (complaint = (complaint + piece.toString()).slice(-400)));
    child.on('error', (error) => resolve(refuse('key-store-failed', `${program}: ${messageOf(error)}`)));
    child.stdin.on('error', () => {});
    child.stdin.end(input, () => input?.fill(0));
    child.on('close', (code, signal) => {
      const all = Buffer.concat(out);
      for (const piece of out) piece.fill(0);
      if (code === 0) return resolve(ok(all));
      all.fill(0);
      resolve(
        refuse(
          'key-store-failed',
          `${program} ended with ${code ?? signal}: ${complaint.trim() || 'it is not there'}`,
        ),
      );
    });
  });
}
