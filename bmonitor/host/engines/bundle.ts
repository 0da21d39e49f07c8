import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { chmod, chown, mkdir, readdir, readFile, realpath, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { limits } from '../../../protocol/limits.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import type { StartOrder } from '../../ports/engines.js';
import { mountedFolders, type FolderMount } from './folders.js';
import type { UsableImage } from './images/store.js';
import { interfaceFolder } from './interface.js';
import { firstIdOf, specOf, userOf } from './spec.js';
import { together } from './tools.js';

/** What the runtime is told, and the files that the engine is given: in its /etc, and by its description. Answers the folders that it mounts. */
export async function writeBundle(
  order: StartOrder,
  image: UsableImage,
  at: {
    readonly run: string;
    readonly cgroup: string;
    readonly leaseFolder: string;
    readonly secrets: string;
    readonly memory: Readonly<Record<string, number>>;
  },
): Promise<Result<readonly FolderMount[]>> {
  const { settings } = order;
  const named = settings.user ?? image.config.user;
  const [passwd, group] = await together(
    within(image.rootfs, 'etc/passwd'),
    within(image.rootfs, 'etc/group'),
  );
  const user = userOf(named, { passwd, group });
  if (!user) return refuse('engine-failed', `the image has no user ${named}`);
  writeGiven(order, at.run);
  const folders = await mountedFolders(at.leaseFolder, at.run, { settings, owner: user });
  const spec = specOf({
    order,
    image: image.config,
    rootfs: join(at.run, 'root'),
    netns: join(at.run, 'net'),
    cgroup: at.cgroup,
    user,
    files: at.run,
    interface: interfaceFolder(at.run),
    secrets: at.secrets,
    machine: process.arch,
    memory: at.memory,
    folders,
  });
  if (!spec.ok) return spec;
  writeFileSync(join(at.run, 'config.json'), JSON.stringify(spec.value), { mode: 0o600 });
  return ok(folders);
}

/** In memory, where nothing makes anybody wait: to ask a thread for each would take longer than all of them. */
function writeGiven({ name, settings }: StartOrder, run: string): void {
  const given = {
    hosts: `127.0.0.1 localhost ${name}\n::1 localhost ${name}\n`,
    hostname: `${name}\n`,
    'resolv.conf': existsSync('/etc/resolv.conf') ? readFileSync('/etc/resolv.conf', 'utf8') : '',
    ...Object.fromEntries((settings.files ?? []).map(({ text }, index) => [`given-${index}`, text])),
  };
  for (const [file, said] of Object.entries(given)) {
    writeFileSync(join(run, file), said);
    // For every user of the engine, whatever mask BMonitor was started with.
    chmodSync(join(run, file), 0o644);
  }
}

export function engineFolder(leaseFolder: string, id: string): string {
  return join(leaseFolder, 'engines', id);
}

/** What was written by engines that are not among these goes. */
export async function keepOnly(leaseFolder: string, ids: ReadonlySet<string>): Promise<void> {
  const all = engineFolder(leaseFolder, '');
  for (const id of await readdir(all).catch(() => [])) {
    if (ids.has(id)) continue;
    // One that was only just described is not known to who asks.
    const made = await stat(join(all, id)).catch(() => undefined);
    if (made && Date.now() - made.mtimeMs > limits.image_unused_ms_max)
      await rm(join(all, id), { recursive: true, force: true });
  }
}

/** The folder of the engine's own layer; those of earlier ones are destroyed. */
export async function layerOf(leaseFolder: string, { id, layer, slot }: StartOrder): Promise<string> {
  const layers = join(engineFolder(leaseFolder, id), 'layers');
  const place = join(layers, String(layer));
  await mkdir(place, { recursive: true, mode: 0o700 });
  for (const name of await readdir(layers))
    if (name !== String(layer)) await rm(join(layers, name), { recursive: true, force: true });
  for (const name of ['upper', 'work']) {
    const made = await mkdir(join(place, name), { recursive: true });
    // Its root folder: every user of the engine must be able to pass, and what the engine itself made of it stays.
    if (made !== undefined) await chmod(join(place, name), 0o755);
    await chown(join(place, name), firstIdOf(slot), firstIdOf(slot));
  }
  return place;
}

/** A small file of an image, that no link of the image leads elsewhere. */
async function within(rootfs: string, path: string): Promise<string> {
  try {
    const real = await realpath(join(rootfs, path));
    return real.startsWith(`${await realpath(rootfs)}/`) ? await readFile(real, 'utf8') : '';
  } catch {
    return '';
  }
}
