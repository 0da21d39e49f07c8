import { createHash, type Hash } from 'node:crypto';
import { constants, createReadStream, createWriteStream } from 'node:fs';
import { chmod, lstat, mkdir, open, opendir, readlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { limits } from '../../../../protocol/limits.js';
import { messageOf } from '../../../../protocol/log.js';
import { ok, refuse, type Result } from '../../../../protocol/result.js';
import {
  chosenManifest,
  digestForm,
  isIndex,
  noConfig,
  packingOf,
  readConfig,
  readManifest,
  type Descriptor,
  type ImageConfig,
} from './oci.js';
import { readTar, type TarEntry } from './tar.js';
import { Tree } from './tree.js';

/** What comes in: a folder on this machine, or an archive wherever it comes from. */
export type ImageSource =
  | { readonly form: 'oci-folder' | 'plain-folder'; readonly folder: string }
  | { readonly form: 'oci-archive' | 'plain-archive'; readonly bytes: AsyncIterable<Uint8Array> };

export interface Unpacked {
  readonly digest: string;
  readonly config: ImageConfig;
  readonly tree: Tree;
}

export const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

function bad(detail: string): Result<never> {
  return refuse('image-refused', detail);
}

/** Unpacks into `work/rootfs`; what it needs meanwhile stands in `work` too. Nothing outside `work` is written. */
export async function unpackImage(source: ImageSource, work: string): Promise<Result<Unpacked>> {
  const rootfs = join(work, 'rootfs');
  await mkdir(rootfs);
  await chmod(rootfs, 0o755);
  const tree = new Tree(rootfs);
  try {
    switch (source.form) {
      case 'oci-folder':
        return await unpackLayout(source.folder, tree);
      case 'oci-archive': {
        const layout = join(work, 'layout');
        const spread = await spreadArchive(source.bytes, layout);
        return spread.ok ? await unpackLayout(layout, tree) : spread;
      }
      case 'plain-folder':
        return await plain(await takeFolder(source.folder, tree), tree);
      case 'plain-archive':
        return await plain(
          await readTar(source.bytes, (entry, body) => tree.put(entry, body, new Set())),
          tree,
        );
    }
  } catch (error) {
    return bad(messageOf(error));
  }
}

/** The documents and blobs of an archive, each under its own name and nothing else. */
async function spreadArchive(bytes: AsyncIterable<Uint8Array>, layout: string): Promise<Result<void>> {
  await mkdir(join(layout, 'blobs', 'sha256'), { recursive: true });
  let total = 0;
  return readTar(bytes, async (entry, body) => {
    const path = entry.path.replace(/^(\.\/)+/u, '');
    if (!/^(oci-layout|index\.json|blobs\/sha256\/[0-9a-f]{64})$/u.test(path)) return ok(undefined);
    if (entry.kind !== 'file') return bad(`${path} is no file`);
    total += entry.size;
    if (total > limits.image_archive_bytes_max) return refuse('too-large', 'the archive');
    await pipeline(Readable.from(body()), createWriteStream(join(layout, path), { flags: 'wx' }));
    return ok(undefined);
  });
}

async function unpackLayout(folder: string, tree: Tree): Promise<Result<Unpacked>> {
  const architecture = architectures[process.arch];
  if (architecture === undefined) return bad(`images are not unpacked on ${process.arch}`);
  const index = await smallFile(join(folder, 'index.json'));
  if (!index.ok) return index;
  let named = chosenManifest(index.value, architecture);
  for (let depth = 0; named.ok && isIndex(named.value) && depth < 4; depth += 1) {
    const inner = await blob(folder, named.value);
    if (!inner.ok) return inner;
    named = chosenManifest(inner.value, architecture);
  }
  if (!named.ok) return named;
  const manifestBytes = await blob(folder, named.value);
  if (!manifestBytes.ok) return manifestBytes;
  const manifest = readManifest(manifestBytes.value);
  if (!manifest.ok) return manifest;
  const configBytes = await blob(folder, manifest.value.config);
  if (!configBytes.ok) return configBytes;
  const configured = readConfig(configBytes.value, architecture);
  if (!configured.ok) return configured;
  const { config, layers } = configured.value;
  if (layers.length !== manifest.value.layers.length)
    return bad('its configuration and its manifest differ in their layers');
  for (const [at, layer] of manifest.value.layers.entries()) {
    const done = await unpackLayer(folder, layer, layers[at] ?? '', tree);
    if (!done.ok) return done;
  }
  await tree.finish();
  return ok({ digest: named.value.digest, config, tree });
}

function blobFile(folder: string, digest: string): string {
  if (!digestForm.test(digest)) throw new Error('digests are checked when documents are read');
  return join(folder, 'blobs', 'sha256', digest.slice('sha256:'.length));
}

/** A layout is what somebody else made: a link in the place of a file, or a pipe, would be anything of this machine. */
async function openPlain(file: string): Promise<FileHandle> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new Error(`${file} is no file`);
}

async function smallFile(file: string): Promise<Result<Buffer>> {
  const handle = await openPlain(file);
  try {
    const { size } = await handle.stat();
    if (size > limits.image_document_bytes_max) return refuse('too-large', 'a document of the image');
    return ok(await handle.readFile());
  } finally {
    await handle.close();
  }
}

/** However small it is packed: what is unpacked beyond what an image may hold was made to harm. */
async function* bounded(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const piece of source) {
    bytes += piece.length;
    if (bytes > limits.image_bytes_max) throw new Error('a layer unpacks to more than an image may hold');
    yield piece;
  }
}

async function blob(folder: string, { digest }: Descriptor): Promise<Result<Buffer>> {
  const bytes = await smallFile(blobFile(folder, digest));
  if (!bytes.ok) return bytes;
  const is = `sha256:${createHash('sha256').update(bytes.value).digest('hex')}`;
  return is === digest ? bytes : bad(`a document is not what its digest says: ${digest}`);
}

async function* hashed(source: AsyncIterable<Uint8Array>, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const piece of source) {
    hash.update(piece);
    yield piece;
  }
}

async function unpackLayer(
  folder: string,
  layer: Descriptor,
  unpacked: string,
  tree: Tree,
): Promise<Result<void>> {
  const packing = packingOf(layer);
  if (!packing) return bad(`a layer is packed in a way that is not understood: ${layer.mediaType}`);
  const lower = tree.paths();
  const [packedHash, plainHash] = [createHash('sha256'), createHash('sha256')];
  const handle = await openPlain(blobFile(folder, layer.digest));
  const file = hashed(handle.createReadStream(), packedHash);
  const source = packing === 'gzip' ? gunzipped(file) : file;
  const bytes = hashed(bounded(source), plainHash);
  const done = await readTar(bytes, (entry, body) => tree.put(entry, body, lower));
  if (!done.ok) return done;
  // What stands behind the end of an archive is part of what its digest says.
  for await (const _ of bytes);
  if (`sha256:${packedHash.digest('hex')}` !== layer.digest)
    return bad('a layer is not what its digest says');
  if (`sha256:${plainHash.digest('hex')}` !== unpacked)
    return bad('a layer, unpacked, is not what its digest says');
  return ok(undefined);
}

function gunzipped(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const gunzip = createGunzip();
  pipeline(Readable.from(source), gunzip).catch((error: unknown) => gunzip.destroy(error as Error));
  return gunzip;
}

/** An image without documents: its digest is that of what is in it. */
async function plain(taken: Result<void>, tree: Tree): Promise<Result<Unpacked>> {
  if (!taken.ok) return taken;
  if (tree.paths().size < 2) return bad('there is nothing in it');
  await tree.finish();
  return ok({ digest: `sha256:${treeDigest(tree)}`, config: noConfig, tree });
}

/** One line for each place: what a check of the stored image goes by. */
export function* treeLines(tree: Tree): Generator<string> {
  for (const [path, node] of tree.nodes())
    yield `${JSON.stringify([path, node.kind, node.mode, node.uid, node.gid, node.sha256 ?? node.target ?? ''])}\n`;
}

export function treeDigest(tree: Tree): string {
  const hash = createHash('sha256');
  for (const line of treeLines(tree)) hash.update(line);
  return hash.digest('hex');
}

async function takeFolder(folder: string, tree: Tree): Promise<Result<void>> {
  const waiting = [''];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const here = join(folder, path);
    const entry = await entryAt(here, path === '' ? '.' : path);
    const done = await tree.put(entry, () => createReadStream(here), new Set());
    if (!done.ok) return done;
    if (entry.kind !== 'directory') continue;
    for await (const { name } of await opendir(here)) waiting.push(path === '' ? name : `${path}/${name}`);
  }
  return ok(undefined);
}

async function entryAt(here: string, path: string): Promise<TarEntry> {
  const facts = await lstat(here);
  const kind = facts.isFile()
    ? 'file'
    : facts.isDirectory()
      ? 'directory'
      : facts.isSymbolicLink()
        ? 'symlink'
        : 'other';
  return {
    kind,
    path,
    target: kind === 'symlink' ? await readlink(here) : '',
    mode: facts.mode & 0o7777,
    uid: facts.uid,
    gid: facts.gid,
    size: kind === 'file' ? facts.size : 0,
    mtime_s: Math.floor(facts.mtimeMs / 1000),
  };
}
