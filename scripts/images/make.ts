import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { writeLayout } from './layout.js';
import { archivesOf, packagesOf, spread } from './packages.js';
import { recipes, type ImageName } from './recipes.js';

/** Outside the repository, since it is made again from Debian's packages at any time. */
const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'bmonitor/images');

/** What nobody reads inside an engine. */
const useless = ['usr/share/doc', 'usr/share/man', 'usr/share/locale', 'usr/share/lintian', 'usr/share/bug'];

/** The folder of the image's OCI layout; made from Debian's packages the first time, and from nothing but the disk afterwards. */
export function imageOf(name: ImageName): string {
  const recipe = recipes[name];
  const versions = versionsOf(name);
  const digest = createHash('sha256')
    .update(JSON.stringify([recipe, versions]))
    .digest('hex')
    .slice(0, 24);
  const place = join(cache, `${name}-${digest}`);
  if (existsSync(place)) return place;
  mkdirSync(cache, { recursive: true });
  const making = mkdtempSync(join(cache, '.making-'));
  try {
    const system = join(making, 'system');
    mkdirSync(system);
    spread(archivesOf(versions, join(cache, 'packages')), system);
    for (const folder of useless) rmSync(join(system, folder), { recursive: true, force: true });
    for (const folder of ['dev', 'proc', 'sys', 'etc', ...recipe.folders])
      mkdirSync(join(system, folder), { recursive: true });
    for (const [file, text] of Object.entries(recipe.files)) {
      mkdirSync(dirname(join(system, file)), { recursive: true });
      writeFileSync(join(system, file), text);
    }
    const layout = join(making, 'layout');
    writeLayout(system, recipe.command, layout);
    if (!existsSync(place)) renameSync(layout, place);
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
  forgetOlder(name, place);
  return place;
}

/** Asked of apt only when its lists have changed since: it takes seconds to answer. */
function versionsOf(name: ImageName): readonly string[] {
  mkdirSync(cache, { recursive: true });
  const memory = join(cache, `versions-${name}.json`);
  const lists_ms = statSync('/var/lib/apt/lists', { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const asked = JSON.stringify([recipes[name].packages, lists_ms]);
  const known = existsSync(memory)
    ? (JSON.parse(readFileSync(memory, 'utf8')) as { asked: string; versions: readonly string[] })
    : undefined;
  if (known?.asked === asked) return known.versions;
  const versions = packagesOf(recipes[name].packages);
  writeFileSync(`${memory}.${process.pid}`, JSON.stringify({ asked, versions }));
  renameSync(`${memory}.${process.pid}`, memory);
  return versions;
}

/** With Debian's next version of a package comes another image, and the one before serves nobody. */
function forgetOlder(name: ImageName, place: string): void {
  for (const other of readdirSync(cache))
    if (other.startsWith(`${name}-`) && join(cache, other) !== place)
      rmSync(join(cache, other), { recursive: true, force: true });
}
