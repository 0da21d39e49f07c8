import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import type { DirectoryStore } from '../../ports/directory-store.js';
import { ImageStore } from './image-store.js';

const programs = ['xfs_io', 'mkfs.ext4', 'mount', 'umount', 'fallocate', 'cp', 'sync'] as const;

/** What this machine lacks for an encrypted directory. Nothing is made to find it out. */
export async function lackingForDirectories(): Promise<readonly string[]> {
  const lacking: string[] = [];
  if (!(await can('/sys/fs/ext4/features/encryption'))) lacking.push('a kernel whose ext4 encrypts files');
  if (!(await can('/dev/loop-control'))) lacking.push('loop devices');
  if (process.getuid?.() !== 0) lacking.push('root');
  const path = (process.env['PATH'] ?? '').split(delimiter);
  for (const program of programs) {
    const found = await Promise.all(path.map((folder) => can(join(folder, program))));
    if (!found.includes(true)) lacking.push(program);
  }
  return lacking;
}

/** A level's files are never stored in the clear instead: without a store none are taken. */
export async function openDirectoryStore(folder: string, bytes: number): Promise<Result<DirectoryStore>> {
  const lacking = await lackingForDirectories();
  if (lacking.length > 0) return refuse('data-no-store', `this machine lacks ${lacking.join(', ')}`);
  return ok(new ImageStore(join(folder, 'data'), bytes));
}

async function can(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
