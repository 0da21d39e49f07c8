// Makes the machine of `npm run test:machine`: a Debian with our package installed, as a disk and an image to boot. It is kept between runs,
// outside the repository, under the digest of what goes in. Prints the folder in which it is.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { depends } from '../package/contents.js';
import { root } from '../run/root.js';
import { bootImage } from './boot-image.js';
import { diskSize_mb, enabled, files, masked, packages, unused } from './recipe.js';

/** What our package needs is there before it is installed, as on a server that was prepared: nothing is downloaded then. */
const included = [...packages, ...depends.map((name) => name.split(' ')[0] ?? name)];

const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'bmonitor/machine');

function run(program: string, ...words: string[]): string {
  return execFileSync(program, words, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 1 << 26,
    // The initrd is made once, when all that goes in is there.
    env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive', INITRD: 'No' },
  });
}

function digestOf(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 24);
}

/** Makes a folder whole or not at all; another run may have been faster. */
function kept(name: string, make: (folder: string) => void): string {
  const place = join(cache, name);
  if (!existsSync(place)) {
    const folder = mkdtempSync(join(cache, '.making-'));
    try {
      make(folder);
      if (!existsSync(place)) renameSync(folder, place);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  utimesSync(place, new Date(), new Date());
  return place;
}

/** From where this machine has its own packages. */
function mirror(): string {
  const [first] = run('apt-get', 'indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages').split(
    '\n',
  );
  if (first === undefined || first === '') throw new Error('apt knows of no place to get packages from');
  return first;
}

function release(): string {
  const [, name] = /^VERSION_CODENAME=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8')) ?? [];
  if (name === undefined) throw new Error('this machine does not say which Debian it is');
  return name;
}

function makeSystem(folder: string): void {
  const system = join(folder, 'system');
  run(
    'debootstrap',
    '--variant=minbase',
    `--include=${[...new Set(included)].join(',')}`,
    release(),
    system,
    mirror(),
  );
  run('chroot', system, 'apt-get', 'clean');
  const [kernel = ''] = readdirSync(join(system, 'lib/modules'));
  for (const what of unused) rmSync(join(system, 'lib/modules', kernel, 'kernel', what), { recursive: true });
  run('chroot', system, 'depmod', kernel);
  rmSync(join(system, 'var/lib/apt/lists'), { recursive: true });
}

function put(system: string): void {
  for (const [path, { content, mode }] of Object.entries(files)) {
    const file = join(system, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    chmodSync(file, mode ?? 0o644);
  }
  run('systemctl', `--root=${system}`, 'enable', ...enabled);
  run('systemctl', `--root=${system}`, 'mask', ...masked);
}

/** What is in the package, whenever it was packed. */
function contentOf(deb: string): string {
  const tree = mkdtempSync(join(cache, '.tree-'));
  try {
    run('dpkg-deb', '--raw-extract', deb, tree);
    return run('sh', '-c', 'cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum', 'sh', tree);
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

/** The same package as a version after it: what an update brings. */
function nextOf(deb: string, out: string): void {
  const tree = mkdtempSync(join(cache, '.tree-'));
  try {
    run('dpkg-deb', '--raw-extract', deb, tree);
    for (const [file, version] of [
      ['DEBIAN/control', /^(Version: .*)$/m],
      ['usr/lib/bmonitor/package.json', /("version": "[^"]*)/],
      ['usr/lib/bmonitor/dist/bmonitor/version.js', /(version = '[^']*)/],
    ] as const) {
      const path = join(tree, file);
      writeFileSync(path, readFileSync(path, 'utf8').replace(version, '$1+next'));
    }
    run('dpkg-deb', '--root-owner-group', '-Znone', '--build', tree, out);
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

function makeDisk(folder: string, base: string, deb: string): void {
  const system = join(folder, 'system');
  run('cp', '--archive', '--reflink=auto', join(base, 'system'), system);
  put(system);
  run('cp', deb, join(system, 'root/bmonitor.deb'));
  nextOf(deb, join(system, 'root/bmonitor-next.deb'));
  run('chroot', system, 'apt-get', 'install', '-q', '-y', '--no-install-recommends', '/root/bmonitor.deb');
  run('chroot', system, 'update-initramfs', '-c', '-k', 'all');
  bootImage(system, join(folder, 'boot.efi'));
  // The same system as somebody else would start it, who has the machine in hand but no console.
  bootImage(system, join(folder, 'other.efi'), 'init=/usr/local/sbin/agent');
  const disk = join(folder, 'disk.ext4');
  run('truncate', '-s', `${diskSize_mb}M`, disk);
  run('mkfs.ext4', '-q', '-F', '-O', 'encrypt', '-d', system, disk);
  rmSync(system, { recursive: true });
}

/** The last few stay, so that going back and forth between two branches builds nothing. */
function forget(prefix: string, keep: number): void {
  const old = run('ls', '-t', cache)
    .split('\n')
    .filter((name) => name.startsWith(prefix))
    .slice(keep);
  for (const name of old) rmSync(join(cache, name), { recursive: true, force: true });
}

mkdirSync(cache, { recursive: true });
const out = mkdtempSync(join(cache, '.deb-'));
try {
  run(process.execPath, join(root, 'dist/scripts/package.js'), '--out', out, '--compress', 'none');
  const [name = ''] = readdirSync(out);
  const deb = join(out, name);
  const base = kept(`base-${digestOf(release(), ...included)}`, makeSystem);
  const recipe = ['recipe', 'image', 'boot-image'].map((file) =>
    readFileSync(join(root, `dist/scripts/machine/${file}.js`), 'utf8'),
  );
  const image = kept(`disk-${digestOf(base, ...recipe, contentOf(deb))}`, (folder) =>
    makeDisk(folder, base, deb),
  );
  // Branches that need other packages stand beside each other.
  forget('base-', 2);
  forget('disk-', 3);
  console.log(image);
} finally {
  rmSync(out, { recursive: true, force: true });
}
