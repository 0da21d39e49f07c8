import { parseJson } from '../../../../protocol/json.js';
import { limits } from '../../../../protocol/limits.js';
import { ok, refuse, type Result } from '../../../../protocol/result.js';

/** The documents of an OCI image. Others write them, so unknown members are passed over, and what is used is checked. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly architecture: string; readonly os: string };
}

export interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** What an image says of how it wants to be run. */
export interface ImageConfig {
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly workdir: string;
  readonly user: string;
  readonly stopSignal: string;
}

export const noConfig: ImageConfig = {
  env: [],
  entrypoint: [],
  command: [],
  workdir: '/',
  user: '0',
  stopSignal: 'SIGTERM',
};

type Members = Readonly<Record<string, unknown>>;

function bad(detail: string): Result<never> {
  return refuse('image-refused', detail);
}

function members(value: unknown): Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : {};
}

function texts(value: unknown): readonly string[] {
  if (!Array.isArray(value)) return [];
  return value.filter((one): one is string => typeof one === 'string').slice(0, 4 * limits.engine_words_max);
}

export const digestForm = /^sha256:[0-9a-f]{64}$/u;

function descriptor(value: unknown): Descriptor | undefined {
  const { mediaType, digest, size, platform } = members(value);
  if (typeof digest !== 'string' || !digestForm.test(digest)) return undefined;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return undefined;
  const { architecture, os } = members(platform);
  return {
    mediaType: typeof mediaType === 'string' ? mediaType : '',
    digest,
    size,
    ...(typeof architecture === 'string' && typeof os === 'string' ? { platform: { architecture, os } } : {}),
  };
}

function documentOf(bytes: Uint8Array): Result<Members> {
  const json = parseJson(bytes);
  return json.ok ? ok(members(json.value)) : bad(`a document is not JSON: ${json.refusal.detail ?? ''}`);
}

/** Of an index, the manifest for this kind of machine: the only one, or the one that says so. */
export function chosenManifest(bytes: Uint8Array, architecture: string): Result<Descriptor> {
  const document = documentOf(bytes);
  if (!document.ok) return document;
  const { manifests } = document.value;
  const all = (Array.isArray(manifests) ? manifests : []).map(descriptor);
  const known = all.filter((one) => one !== undefined);
  if (known.length === 0 || known.length !== all.length)
    return bad('its index names no manifest that can be read');
  const fitting = known.filter(
    ({ platform }) => !platform || (platform.architecture === architecture && platform.os === 'linux'),
  );
  const [only, ...others] = fitting;
  if (!only) return bad(`it is not for linux on ${architecture}`);
  return others.length === 0 ? ok(only) : bad('its index holds several images: export one of them');
}

export function isIndex({ mediaType }: Descriptor): boolean {
  return (
    mediaType === 'application/vnd.oci.image.index.v1+json' ||
    mediaType === 'application/vnd.docker.distribution.manifest.list.v2+json'
  );
}

export function readManifest(bytes: Uint8Array): Result<Manifest> {
  const document = documentOf(bytes);
  if (!document.ok) return document;
  const config = descriptor(document.value['config']);
  const listed = document.value['layers'];
  const layers = (Array.isArray(listed) ? listed : []).map(descriptor);
  const known = layers.filter((one) => one !== undefined);
  if (!config || known.length !== layers.length || known.length === 0)
    return bad('its manifest names no configuration, or no layers');
  if (known.length > limits.image_layers_max) return refuse('too-large', 'the image has too many layers');
  return ok({ config, layers: known });
}

/** How a layer is packed; undefined: not in a way that is understood. */
export function packingOf({ mediaType }: Descriptor): 'tar' | 'gzip' | undefined {
  if (
    /^application\/vnd\.(oci|docker)\.image\.(layer\.(nondistributable\.)?v1\.tar|rootfs\.diff\.tar)$/u.test(
      mediaType,
    )
  )
    return 'tar';
  if (
    /^application\/vnd\.(oci|docker)\.image\.(layer\.(nondistributable\.)?v1\.tar\+gzip|rootfs\.diff\.tar\.gzip)$/u.test(
      mediaType,
    )
  )
    return 'gzip';
  return undefined;
}

export interface Configured {
  readonly config: ImageConfig;
  /** Digests of the layers as tar, unpacked. */
  readonly layers: readonly string[];
}

export function readConfig(bytes: Uint8Array, architecture: string): Result<Configured> {
  const document = documentOf(bytes);
  if (!document.ok) return document;
  const { architecture: made, os, config, rootfs } = document.value;
  if (os !== 'linux' || made !== architecture) return bad(`it is not for linux on ${architecture}`);
  const layers = texts(members(rootfs)['diff_ids']);
  if (layers.some((digest) => !digestForm.test(digest))) return bad('a digest of a layer is of another kind');
  return ok({ config: configOf(members(config)), layers });
}

function configOf(config: Members): ImageConfig {
  const word = (name: string, otherwise: string): string => {
    const value = config[name];
    return typeof value === 'string' && value !== '' ? value : otherwise;
  };
  return {
    env: texts(config['Env']).filter((one) => one.indexOf('=') > 0),
    entrypoint: texts(config['Entrypoint']),
    command: texts(config['Cmd']),
    workdir: word('WorkingDir', noConfig.workdir),
    user: word('User', noConfig.user),
    stopSignal: word('StopSignal', noConfig.stopSignal),
  };
}
