import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const architecture = { x64: 'amd64', arm64: 'arm64' }[process.arch as string] ?? 'amd64';

/** A folder as a layer: the same files make the same bytes, whenever and by whomever. */
function layerOf(folder: string): Buffer {
  const words = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0', '-C', folder];
  return execFileSync('tar', [...words, '-cf', '-', '.'], { maxBuffer: 1 << 30 });
}

/** Writes an image of one layer in the OCI layout, as podman and skopeo read it. */
export function writeLayout(system: string, command: readonly string[], to: string): void {
  const blobs = join(to, 'blobs', 'sha256');
  mkdirSync(blobs, { recursive: true });
  const put = (bytes: Uint8Array, kind: string): Readonly<Record<string, unknown>> => {
    const hex = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(blobs, hex), bytes);
    return {
      mediaType: `application/vnd.oci.image.${kind}`,
      digest: `sha256:${hex}`,
      size: bytes.length,
    };
  };
  const document = (value: unknown, kind: string): Readonly<Record<string, unknown>> =>
    put(Buffer.from(JSON.stringify(value)), `${kind}.v1+json`);
  const layer = layerOf(system);
  const diff = `sha256:${createHash('sha256').update(layer).digest('hex')}`;
  const config = document(
    {
      architecture,
      os: 'linux',
      config: { Cmd: command },
      rootfs: { type: 'layers', diff_ids: [diff] },
    },
    'config',
  );
  const manifest = document(
    {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config,
      layers: [put(gzipSync(layer, { level: 6 }), 'layer.v1.tar+gzip')],
    },
    'manifest',
  );
  writeFileSync(join(to, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [manifest] }));
  writeFileSync(join(to, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
}
