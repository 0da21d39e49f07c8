// npm start: a whole facility on this machine, until Ctrl-C. With --check it tries everything by itself instead.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runChecks } from './facility/check.js';
import { checks } from './facility/checks/index.js';
import { writeCommands } from './facility/commands.js';
import { Facility } from './facility/facility.js';
import { guide } from './facility/guide.js';
import { openDoor, type Door } from './facility/ports.js';
import { inNamespaces } from './run/namespaces.js';

const { values } = parseArgs({ options: { check: { type: 'boolean' } } });
const first_port = 7400;
const doorNames = ['console-cluster', 'console-app-alder', 'console-app-birch'];

/** The doors are opened outside; a run without root stands in a network of its own, where nobody's browser is. */
async function openDoors(dir: string): Promise<readonly Door[]> {
  return Promise.all(
    doorNames.map(async (name, at) => openDoor(name, first_port + at, join(dir, `${name}.sock`))),
  );
}

async function standUp(doorsDir: string, ports: readonly number[]): Promise<void> {
  const [cluster = first_port, alder = first_port + 1, birch = first_port + 2] = ports;
  const facility = await Facility.build((what) => console.log(`  ${what}`), { cluster, alder, birch });
  const ended = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve());
  });
  try {
    if (values.check === true) {
      process.exitCode = (await runChecks(facility, checks)) === 0 ? 0 : 1;
      return;
    }
    for (const [it, socket] of facility.relays) symlinkSync(socket, join(doorsDir, `${it.name}.sock`));
    console.log(await guide(facility, await writeCommands(facility)));
    await ended;
    console.log('\ntaking it down');
  } finally {
    await facility.remove();
  }
}

/** The same program again, as root of namespaces of its own. */
async function startInside(doorsDir: string, doors: readonly Door[]): Promise<void> {
  if (spawnSync('unshare', ['--user', '--map-root-user', '--net', '--mount', 'true']).status !== 0) {
    console.error(
      'This machine lets only root make network namespaces: run `sudo npm start`, or allow it to all with `sudo sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000`.',
    );
    process.exitCode = 1;
    return;
  }
  const [file = '', ...args] = inNamespaces([process.execPath, ...process.argv.slice(1)]);
  const known = JSON.stringify({ dir: doorsDir, ports: doors.map(({ port }) => port) });
  const child = spawn(file, args, { stdio: 'inherit', env: { ...process.env, BMONITOR_INSIDE: known } });
  // The terminal tells the child by itself; others are passed on.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  process.exitCode = await new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}

const given = process.env['BMONITOR_INSIDE'];
if (given !== undefined) {
  const { dir, ports } = JSON.parse(given) as { dir: string; ports: readonly number[] };
  await standUp(dir, ports);
} else {
  const dir = mkdtempSync(join(tmpdir(), 'bmonitor-doors-'));
  const doors = values.check === true ? [] : await openDoors(dir);
  try {
    if (process.getuid?.() === 0)
      await standUp(
        dir,
        doors.map(({ port }) => port),
      );
    else await startInside(dir, doors);
  } finally {
    doors.forEach((door) => door.close());
    rmSync(dir, { recursive: true, force: true });
  }
}
process.exit();
