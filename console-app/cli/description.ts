import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { readFileLimited } from '../../console/daemon/files.js';
import { engineName, engineSettings, type EngineSettings } from '../../protocol/engines.js';
import { parseJson } from '../../protocol/json.js';
import { messageOf } from '../../protocol/log.js';
import { opaqueObject, text } from '../../protocol/parse.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { ImageForm } from '../engines/images.js';

/** What a developer keeps beside the code: the settings of an engine, with its name, and its image as a path or a digest. */
export interface Description {
  readonly name: string;
  /** Absent: the image is a digest, and stored on the nodes already. */
  readonly source?: string;
  settingsFor(digest: string): Result<EngineSettings>;
}

const imageText = text({ max: 4096 });

export function readDescription(file: string): Result<Description> {
  const content = readFileLimited(file);
  if (!content.ok) return content;
  const json = parseJson(content.value);
  const given = json.ok ? opaqueObject(json.value, file) : json;
  if (!given.ok) return given;
  const { name: nameGiven, image: imageGiven, ...rest } = given.value;
  const name = engineName(nameGiven, `${file}: name`);
  if (!name.ok) return name;
  const image = imageText(imageGiven, `${file}: image`);
  if (!image.ok) return image;
  const settingsFor = (digest: string): Result<EngineSettings> =>
    engineSettings({ ...rest, image: digest }, file);
  // What is wrong with the settings is said before an image is sent anywhere.
  const looked = settingsFor(`sha256:${'0'.repeat(64)}`);
  if (!looked.ok) return looked;
  if (/^sha256:[0-9a-f]{64}$/.test(image.value))
    return ok({ name: name.value, settingsFor: () => settingsFor(image.value) });
  return ok({ name: name.value, source: resolve(dirname(file), image.value), settingsFor });
}

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
