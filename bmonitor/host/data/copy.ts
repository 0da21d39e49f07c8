import { statfs } from 'node:fs/promises';
import { limits } from '../../../protocol/limits.js';
import { ok, type Result } from '../../../protocol/result.js';
import type { CopyWatch } from '../../ports/directory-store.js';
import { must } from './program.js';

/**
 * Everything in one directory to another, each in a file system of its own. `cp` holds little in memory however much there is; owners, links, holes and
 * attributes stay as they are. Resolves when it would survive a power cut.
 */
export async function copyFiles(source: string, target: string, watch?: CopyWatch): Promise<Result<void>> {
  const looking = watch && setInterval(() => void look(source, target, watch), limits.data_copy_look_ms);
  try {
    const words = ['-a', '--sparse=auto', '--one-file-system', '--', `${source}/.`, `${target}/`];
    const copied = await must('cp', words, undefined, limits.data_copy_ms_max, watch?.signal);
    if (!copied.ok) return copied;
    const written = await must('sync', ['-f', target], undefined, limits.data_copy_ms_max, watch?.signal);
    return written.ok ? ok(undefined) : written;
  } finally {
    clearInterval(looking);
  }
}

/** By how full the two file systems are: nothing has to be counted for it. */
async function look(source: string, target: string, { progress }: CopyWatch): Promise<void> {
  try {
    const [all, there] = [await usedBytes(source), await usedBytes(target)];
    progress(Math.min(there, all), all);
  } catch {
    // It is gone already: then nobody waits for how far it is.
  }
}

async function usedBytes(path: string): Promise<number> {
  const { blocks, bfree, bsize } = await statfs(path);
  return (blocks - bfree) * bsize;
}
