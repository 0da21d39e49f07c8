import { mkdir, open, readdir, readFile, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import { must, runProgram } from './program.js';

/** A file system in a file, and where it is mounted. Its size is what a lease may use: it is set aside whole, so that nobody else can take it. */
export interface Image {
  readonly file: string;
  readonly mount: string;
}

export async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Whole or not at all: under another name until it is done. */
export async function makeImage({ file }: Image, bytes: number): Promise<Result<void>> {
  const fresh = `${file}.new`;
  await rm(fresh, { force: true });
  const aside = await runProgram('fallocate', ['-l', String(bytes), fresh]);
  if (!aside.ok) return aside;
  if (aside.value.code !== 0) {
    await rm(fresh, { force: true });
    return refuse('data-no-space', `${bytes} bytes for ${file}: ${aside.value.said}`);
  }
  // Discarding would give back what was set aside, and so would the kernel when it clears tables later, by itself, behind a loop device. Nothing is
  // kept for root: the engines' files are not root's.
  const whole = 'nodiscard,lazy_itable_init=0,lazy_journal_init=0';
  const options = ['-q', '-F', '-b', '4096', '-m', '0', '-O', 'encrypt', '-E', whole];
  const made = await must('mkfs.ext4', [...options, fresh]);
  if (!made.ok) return made;
  await synced(fresh);
  await rename(fresh, file);
  await synced(dirname(file));
  return ok(undefined);
}

export async function synced(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The kernel's own word on what is mounted here; it writes a space as \040. */
export async function isMounted({ mount }: Image): Promise<boolean> {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  const escaped = mount.replaceAll(
    /[ \t\n\\]/g,
    (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`,
  );
  return table.split('\n').some((line) => line.split(' ')[4] === escaped);
}

/**
 * Somebody has it mounted, perhaps where we do not see it: whoever got it from a BMonitor before this one. While that is so the kernel may have
 * its key. A device that is only being let go of has no file system any more.
 */
export async function isLive({ file }: Image): Promise<boolean> {
  const devices = (await readdir('/sys/fs/ext4').catch(() => [])).filter((name) => name.startsWith('loop'));
  const files = await Promise.all(
    devices.map((name) => readFile(`/sys/block/${name}/loop/backing_file`, 'utf8').catch(() => '')),
  );
  return files.some((backing) => backing.replace(/\n$/, '') === file);
}

/** The same file is never attached to two devices: `mount` takes the device that has it already. */
export async function mountImage(image: Image): Promise<Result<void>> {
  if (await isMounted(image)) return ok(undefined);
  await mkdir(image.mount, { recursive: true, mode: 0o700 });
  const words = ['-t', 'ext4', '-o', 'loop,nodev,nosuid,noatime,nodiscard', image.file, image.mount];
  const mounted = await must('mount', words);
  return mounted.ok ? ok(undefined) : mounted;
}

/** With the last mount the loop device goes too. */
export async function unmountImage(image: Image): Promise<Result<void>> {
  if (await isMounted(image)) {
    const done = await runProgram('umount', [image.mount]);
    if (!done.ok) return done;
    const { code, said } = done.value;
    if (code !== 0) return /busy/.test(said) ? refuse('directory-busy') : refuse('data-tool-failed', said);
  }
  await rmdir(image.mount).catch(() => {});
  return ok(undefined);
}
