import { createReadStream, existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../../../protocol/log.js';
import { ok, refuse, type Result } from '../../../../protocol/result.js';
import type { ImageSource } from './import.js';
import { readTar } from './tar.js';

/** What lies at a path: a folder in the OCI layout or a plain one, an archive in the OCI layout or of plain files. */
export async function imageSourceAt(path: string): Promise<Result<ImageSource>> {
  try {
    if ((await stat(path)).isDirectory())
      return ok({ form: existsSync(join(path, 'oci-layout')) ? 'oci-folder' : 'plain-folder', folder: path });
    const oci = await holdsLayout(path);
    return ok({ form: oci ? 'oci-archive' : 'plain-archive', bytes: createReadStream(path) });
  } catch (error) {
    return refuse('not-found', messageOf(error));
  }
}

async function holdsLayout(path: string): Promise<boolean> {
  let found = false;
  const source = createReadStream(path);
  const read = await readTar(source, (entry) => {
    found ||= /^(\.\/)?oci-layout$/u.test(entry.path);
    // Once it is found there is nothing more to look for.
    return Promise.resolve(found ? refuse('image-refused') : ok(undefined));
  });
  source.destroy();
  return found && !read.ok;
}
