import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Secret } from '../../../crypto/secret.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import { isMounted, isThere, synced, unmountImage, type Image } from './image.js';
import { must, runProgram } from './program.js';

/** One caller at a time has each file, and the place for cryptsetup's locks is none that a service may write to. */
const alone = '--disable-locks';

/**
 * A LUKS volume in a file, by cryptsetup, which gets its key through a pipe. The key is 32 random bytes, not a word that somebody could guess: stretching it
 * would cost time at every opening and protect nothing. It has room for that one key: what is set aside for more is written full of chance first.
 */
const kind = ['--batch-mode', '--type', 'luks2', '--cipher', 'aes-xts-plain64', '--key-size', '512'];
const key = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000', '--key-file', '-'];
const room = ['--luks2-metadata-size', '16k', '--luks2-keyslots-size', '256k'];
const formatWords = ['luksFormat', ...kind, ...key, ...room, alone];

/** As device-mapper knows it. Leases are named by chance, so that no two nodes on one machine have the same. */
export function mapped({ file }: Image): string {
  return `bmonitor-${basename(file).replace(/\.luks(\.new)?$/, '')}`;
}

function deviceOf(image: Image): string {
  return `/dev/mapper/${mapped(image)}`;
}

export async function isMapped(image: Image): Promise<boolean> {
  return stat(deviceOf(image)).then(
    () => true,
    () => false,
  );
}

/** Whole or not at all: under another name until it is done. */
export async function makeVolume({ file, mount }: Image, bytes: number, key: Secret): Promise<Result<void>> {
  const fresh: Image = { file: `${file}.new`, mount };
  const closed = await closeVolume(fresh);
  if (!closed.ok) return closed;
  await rm(fresh.file, { force: true });
  const aside = await runProgram('fallocate', ['-l', String(bytes), fresh.file]);
  if (!aside.ok) return aside;
  if (aside.value.code !== 0) {
    await rm(fresh.file, { force: true });
    return refuse('data-no-space', `${bytes} bytes for ${file}: ${aside.value.said}`);
  }
  const made = await filled(fresh, key);
  const put = await closeVolume(fresh);
  if (!made.ok || !put.ok) {
    await rm(fresh.file, { force: true });
    return made.ok ? put : made;
  }
  await synced(fresh.file);
  await rename(fresh.file, file);
  await synced(dirname(file));
  return ok(undefined);
}

const fileSystem = ['-q', '-F', '-b', '4096', '-m', '0', '-E', 'nodiscard'];

async function filled(fresh: Image, key: Secret): Promise<Result<void>> {
  const formatted = await must('cryptsetup', [...formatWords, fresh.file], key);
  if (!formatted.ok) return formatted;
  const opened = await openVolume(fresh, key);
  if (!opened.ok) return opened;
  // Nothing is kept for root: the engines' files are not root's.
  const made = await must('mkfs.ext4', [...fileSystem, deviceOf(fresh)]);
  return made.ok ? ok(undefined) : made;
}

/** The kernel gets the key of the volume; another key is refused, also while it is open. */
export async function openVolume(image: Image, key: Secret): Promise<Result<void>> {
  const there = await isMapped(image);
  const words = there ? ['--test-passphrase', image.file] : [image.file, mapped(image)];
  const ended = await runProgram(
    'cryptsetup',
    ['open', '--type', 'luks2', '--key-file', '-', alone, ...words],
    key,
  );
  if (!ended.ok) return ended;
  const { code, said } = ended.value;
  if (code === 0) return ok(undefined);
  return code === 2
    ? refuse('store-damaged', `${image.file} is under another key`)
    : refuse('data-tool-failed', `cryptsetup ended with ${code}: ${said}`);
}

/** Takes the key from the kernel. While somebody has it mounted, here or elsewhere, that cannot be done. */
export async function closeVolume(image: Image): Promise<Result<void>> {
  const unmounted = await unmountImage(image);
  if (!unmounted.ok) return unmounted;
  if (!(await isMapped(image))) return ok(undefined);
  const ended = await runProgram('cryptsetup', ['close', mapped(image)]);
  if (!ended.ok) return ended;
  const { code, said } = ended.value;
  if (code === 0 || !(await isMapped(image))) return ok(undefined);
  return code === 5 || /in use|busy/i.test(said)
    ? refuse('directory-busy')
    : refuse('data-tool-failed', said);
}

export async function mountVolume(image: Image): Promise<Result<void>> {
  if (await isMounted(image)) return ok(undefined);
  await mkdir(image.mount, { recursive: true, mode: 0o700 });
  const words = ['-t', 'ext4', '-o', 'nodev,nosuid,noatime,nodiscard', deviceOf(image), image.mount];
  const mounted = await must('mount', words);
  return mounted.ok ? ok(undefined) : mounted;
}

/** Destroys what wraps the volume's own key: without it nothing in the file opens, whoever has the key of the lease. */
export async function eraseVolume({ file }: Image): Promise<Result<void>> {
  if (!(await isThere(file))) return ok(undefined);
  const erased = await must('cryptsetup', ['erase', '--batch-mode', alone, file]);
  if (!erased.ok) return erased;
  await synced(file);
  return ok(undefined);
}
