import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { messageOf } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { archiveOf, type Archive } from './archive.js';
import { baseOf, pack } from './base.js';
import type { Description } from './description.js';
import type { Recipe } from './recipe.js';
import { runTool } from './run-tool.js';

/** The image of a description as an archive, or undefined when it is a digest that nodes have already. */
export async function imageOf(description: Description): Promise<Result<Archive | undefined>> {
  const { recipe, source, folder } = description;
  if (recipe === undefined) return source === undefined ? ok(undefined) : archiveOf(source);
  const place = mkdtempSync(join(tmpdir(), 'bmonitor-build-'));
  const remove = (): void => rmSync(place, { recursive: true, force: true });
  const built =
    recipe.containerfile === undefined
      ? await buildHere(recipe, folder, place)
      : await buildWithTool(recipe.containerfile, folder, place);
  if (built.ok) return ok({ ...built.value, remove });
  remove();
  return built;
}

type Built = Pick<Archive, 'path' | 'form'>;

/** The base, and the developer's files over it. */
async function buildHere(recipe: Recipe, folder: string, place: string): Promise<Result<Built>> {
  const base = await baseOf(recipe);
  if (!base.ok) return base;
  const over = join(place, 'files');
  const path = join(place, 'image.tar');
  try {
    copyFileSync(base.value, path);
    mkdirSync(over);
    for (const [from, to] of Object.entries(recipe.files ?? {})) {
      if (!existsSync(join(folder, from)))
        return refuse('image-not-built', `${from} is not in ${folder}`, { where: 'build.files' });
      mkdirSync(dirname(join(over, to)), { recursive: true });
      cpSync(join(folder, from), join(over, to), { recursive: true });
    }
    const more = join(place, 'files.tar');
    const packed = await pack(over, more);
    if (!packed.ok) return packed;
    const joined = await runTool('tar', ['--concatenate', '-f', path, more]);
    return joined.ok ? ok({ path, form: 'plain-archive' }) : joined;
  } catch (error) {
    return refuse('image-not-built', messageOf(error));
  }
}

/** Its steps run in a chroot: a container of their own would ask for rights, and for control groups, that the machine of a developer may not have. */
const inChroot = (file: string, tag: string): string[] => [
  'build',
  '--isolation',
  'chroot',
  '-f',
  file,
  '-t',
  tag,
  '.',
];

/** The tools that build from a containerfile, in the order in which they are looked for, with what each is told. */
const tools = [
  {
    program: 'buildah',
    build: inChroot,
    save: (tag: string, to: string) => ['push', '--quiet', tag, `oci-archive:${to}`],
    forget: (tag: string) => ['rmi', tag],
  },
  {
    program: 'podman',
    build: inChroot,
    save: (tag: string, to: string) => ['save', '--quiet', '--format', 'oci-archive', '-o', to, tag],
    forget: (tag: string) => ['rmi', tag],
  },
  {
    program: 'docker',
    build: (file: string, tag: string) => ['build', '-f', file, '-t', tag, '.'],
    save: (tag: string, to: string) => ['save', '-o', to, tag],
    forget: (tag: string) => ['rmi', tag],
  },
] as const;

async function buildWithTool(containerfile: string, folder: string, place: string): Promise<Result<Built>> {
  const path = join(place, 'image.oci');
  const tag = `localhost/bmonitor-dev-${process.pid}`;
  for (const { program, build, save, forget } of tools) {
    if (!(await runTool('which', [program])).ok) continue;
    const built = await runTool(program, build(containerfile, tag), { cwd: folder });
    if (!built.ok) return built;
    const saved = await runTool(program, save(tag, path));
    await runTool(program, forget(tag));
    return saved.ok ? asOci(path, program, place) : saved;
  }
  return refuse(
    'image-not-built',
    'neither buildah nor podman nor docker is on this machine; name packages and programs instead of a containerfile',
  );
}

/** Older versions of docker save a form of their own, which skopeo turns into the one that nodes take. */
async function asOci(path: string, program: string, place: string): Promise<Result<Built>> {
  const archive = archiveOf(path);
  if (!archive.ok) return archive;
  if (archive.value.form === 'oci-archive') return ok({ path, form: 'oci-archive' });
  const turned = join(place, 'turned.oci');
  const done = await runTool('skopeo', [
    'copy',
    '--quiet',
    '--insecure-policy',
    `docker-archive:${path}`,
    `oci-archive:${turned}`,
  ]);
  return done.ok
    ? ok({ path: turned, form: 'oci-archive' })
    : refuse('image-not-built', `${program} saves no OCI archive, and ${done.refusal.detail ?? ''}`);
}
