import { access, open, readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import type { DirectoryStore } from '../../ports/directory-store.js';
import { ImageStore } from './image-store.js';
import { LuksStore } from './luks-store.js';

export const fileStores = ['fscrypt', 'luks'] as const;
export type FileStore = (typeof fileStores)[number];

const shared = ['mkfs.ext4', 'mount', 'umount', 'fallocate', 'cp', 'sync'] as const;
const needs = {
  fscrypt: {
    place: '/sys/fs/ext4/features/encryption',
    what: 'a kernel whose ext4 encrypts files',
    programs: ['xfs_io', ...shared],
  },
  luks: { place: '/dev/mapper/control', what: 'device-mapper', programs: ['cryptsetup', ...shared] },
} as const;

/** What this machine lacks for encrypted directories of one kind. Nothing is made to find it out. */
async function lackingFor(kind: FileStore): Promise<readonly string[]> {
  const { place, what, programs } = needs[kind];
  const lacking: string[] = [];
  if (!(await opens(place))) lacking.push(what);
  if (!(await opens('/dev/loop-control'))) lacking.push('loop devices');
  if (process.getuid?.() !== 0) lacking.push('root');
  const path = (process.env['PATH'] ?? '').split(delimiter);
  for (const program of programs) {
    const found = await Promise.all(path.map((folder) => can(join(folder, program))));
    if (!found.includes(true)) lacking.push(program);
  }
  return lacking;
}

/** Empty: one of the kinds works here. Else what lacks for the one that is preferred. */
export async function lackingForDirectories(): Promise<readonly string[]> {
  const lacking = await lackingFor('fscrypt');
  return lacking.length === 0 || (await lackingFor('luks')).length === 0 ? [] : lacking;
}

/**
 * The file system's own encryption where the kernel has it, else LUKS where there is device-mapper; what the configuration says comes first, and before that
 * what a node began with. A level's files are never stored in the clear instead: without a store none are taken.
 */
export async function openDirectoryStore(
  folder: string,
  bytes: number,
  wanted?: FileStore,
): Promise<Result<DirectoryStore>> {
  const place = join(folder, 'data');
  const kinds = (await begunWith(place)) ?? (wanted ? [wanted] : fileStores);
  const lacks: string[] = [];
  for (const kind of kinds) {
    const lacking = await lackingFor(kind);
    if (lacking.length === 0)
      return ok(kind === 'luks' ? new LuksStore(place, bytes) : new ImageStore(place, bytes));
    lacks.push(`for ${kind} ${lacking.join(', ')}`);
  }
  return refuse('data-no-store', `this machine lacks ${lacks.join('; ')}`);
}

async function begunWith(place: string): Promise<readonly FileStore[] | undefined> {
  const names = await readdir(place).catch(() => []);
  if (names.some((name) => name.endsWith('.img'))) return ['fscrypt'];
  return names.some((name) => name.endsWith('.luks')) ? ['luks'] : undefined;
}

async function can(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** A device can have its name without a driver, or get one when it is opened. */
async function opens(path: string): Promise<boolean> {
  const file = await open(path, 'r').catch(() => undefined);
  await file?.close();
  return file !== undefined;
}
