import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { ImageForm } from '../engines/images.js';

export interface Archive {
  readonly path: string;
  readonly form: ImageForm;
  remove(): void;
}

/** An archive as nodes take it. A folder is packed first; an OCI layout is known by its own mark. */
export function archiveOf(source: string): Result<Archive> {
  try {
    const folder = statSync(source).isDirectory();
    const oci = folder ? existsSync(join(source, 'oci-layout')) : isOciArchive(source);
    const form: ImageForm = oci ? 'oci-archive' : 'plain-archive';
    if (!folder) return ok({ path: source, form, remove: () => undefined });
    const place = mkdtempSync(join(tmpdir(), 'image-'));
    const path = join(place, 'image.tar');
    const remove = (): void => rmSync(place, { recursive: true, force: true });
    const packed = spawnSync('tar', ['--numeric-owner', '--sort=name', '-C', source, '-cf', path, '.'], {
      encoding: 'utf8',
    });
    if (packed.status === 0) return ok({ path, form, remove });
    remove();
    return refuse('bad-input', packed.stderr.slice(0, 400), { where: source });
  } catch (error) {
    return refuse('not-found', messageOf(error), { where: source });
  }
}

function isOciArchive(path: string): boolean {
  const listed = spawnSync('tar', ['-tf', path], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  return listed.status === 0 && /^(\.\/)?oci-layout$/m.test(listed.stdout);
}
