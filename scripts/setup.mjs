// Sets up all that start, check, test and bench need, and nothing that is there already. Plain JavaScript without
// dependencies, because it runs before there are any. With --quiet it says nothing when there is nothing to do.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const quiet = process.argv.includes('--quiet');
const stamp = join(root, 'node_modules/.setup-stamp');

function tell(text) {
  process.stdout.write(`${text}\n`);
}

function stop(text) {
  process.stderr.write(`${text}\n`);
  process.exit(1);
}

/** Runs a program; its output is shown only if it fails, or as it comes when it takes long. */
function run(command, args, { show = false, env = {} } = {}) {
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    env: { ...process.env, ...env },
    stdio: show ? 'inherit' : 'pipe',
  });
  if (error) stop(`setup: ${command} could not be started: ${error.message}`);
  if (status !== 0) stop(`${stdout ?? ''}${stderr ?? ''}setup: \`${command} ${args.join(' ')}\` failed.`);
  return stdout ?? '';
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  stop(
    `BMonitor needs Node.js 20.19 or newer; this is ${process.versions.node}. Debian 12 has an older one of its own.`,
  );
}

/** The packages of scripts/debian-packages.json that are not installed. */
function missingPackages() {
  const names = Object.keys(JSON.parse(readFileSync(join(root, 'scripts/debian-packages.json'), 'utf8')));
  // dpkg-query fails when it does not know a name at all, and still lists the others.
  const { error, stdout } = spawnSync(
    'dpkg-query',
    ['-W', '-f', '${Package} ${db:Status-Status}\n', ...names],
    {
      encoding: 'utf8',
    },
  );
  if (error) {
    tell(`setup: this is not Debian, so see for yourself that these are here: ${names.join(' ')}`);
    return [];
  }
  const installed = new Set(
    stdout
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  );
  return names.filter((name) => !installed.has(name));
}

function installPackages() {
  const missing = missingPackages();
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0)
    stop(
      `Debian packages are missing. Run this once, then try again:\n\n  sudo apt-get install --no-install-recommends ${missing.join(' ')}\n`,
    );
  tell(`setup: installing Debian packages: ${missing.join(' ')}`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  run('apt-get', ['update', '-q'], { env });
  run('apt-get', ['install', '-q', '-y', '--no-install-recommends', ...missing], { env });
}

function installModules() {
  const hash = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const wanted = `${hash} ${process.platform} ${process.arch}\n`;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  tell('setup: installing Node.js packages (npm ci)');
  run('npm', ['ci', '--no-audit', '--no-fund']);
  writeFileSync(stamp, wanted);
}

checkNode();
installPackages();
installModules();
run(process.execPath, ['scripts/build.mjs'], { show: true });
if (!quiet) tell('setup: everything is in place');
