import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const architecture = { x64: 'amd64', arm64: 'arm64' }[process.arch as string] ?? 'amd64';

/** An image in the OCI layout, of one packed layer for each archive, made by hand from the specification. */
export function ociLayout(
  layers: readonly Uint8Array[],
  config: Readonly<Record<string, unknown>> = { Cmd: ['/bin/sh'] },
): string {
  const folder = mkdtempSync(join(tmpdir(), 'bmonitor-layout-'));
  mkdirSync(join(folder, 'blobs', 'sha256'), { recursive: true });
  const put = (bytes: Uint8Array, mediaType: string): Readonly<Record<string, unknown>> => {
    const hex = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(folder, 'blobs', 'sha256', hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const document = (value: unknown, kind: string): Readonly<Record<string, unknown>> =>
    put(Buffer.from(JSON.stringify(value)), `application/vnd.oci.image.${kind}.v1+json`);
  const diffs = layers.map((layer) => `sha256:${createHash('sha256').update(layer).digest('hex')}`);
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: document(
      { architecture, os: 'linux', config, rootfs: { type: 'layers', diff_ids: diffs } },
      'config',
    ),
    layers: layers.map((layer) =>
      put(gzipSync(layer, { level: 1 }), 'application/vnd.oci.image.layer.v1.tar+gzip'),
    ),
  };
  const index = { schemaVersion: 2, manifests: [document(manifest, 'manifest')] };
  writeFileSync(join(folder, 'index.json'), JSON.stringify(index));
  writeFileSync(join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  return folder;
}

export function tarOf(folder: string): Buffer {
  return execFileSync('tar', ['-C', folder, '-cf', '-', '.'], { maxBuffer: 1024 * 1024 * 1024 });
}

/** The layout as the archive that skopeo makes of it. */
export function skopeoArchive(layout: string): string {
  const file = `${layout}.tar`;
  rmSync(file, { force: true });
  execFileSync('skopeo', ['copy', '--quiet', '--insecure-policy', `oci:${layout}`, `oci-archive:${file}`]);
  return file;
}

export function digestOfLayout(layout: string): string {
  const { manifests } = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as {
    readonly manifests: readonly { readonly digest: string }[];
  };
  return manifests[0]?.digest ?? '';
}
