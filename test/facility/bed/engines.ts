import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './until.js';

/**
 * Engines outlive BMonitor, on purpose. Whoever takes a node down for good ends them by their control groups, which are named by the folder
 * of the node.
 */
export async function endEngines(nodeDir: string): Promise<void> {
  const name = createHash('sha256').update(nodeDir).digest('hex').slice(0, 12);
  const bases = groupRoots()
    .map((root) => join(root, 'bmonitor', name))
    .filter((base) => existsSync(base));
  await until(
    () => {
      const processes = bases.flatMap(processesIn);
      for (const pid of processes) kill(pid);
      return Promise.resolve(processes.length === 0);
    },
    { what: () => `the engines of ${nodeDir} to end` },
  );
  for (const base of bases) removeGroups(base);
  const run = join('/run/bmonitor', name);
  if (!existsSync(run)) return;
  spawnSync('umount', ['-R', '-l', run]);
  rmSync(run, { recursive: true, force: true });
}

/** The directories of leases stay mounted when BMonitor ends, since engines may still use them. */
export function unmountUnder(folder: string): void {
  const lines = readFileSync('/proc/mounts', 'utf8').split('\n');
  const mounts = lines.map((line) => line.split(' ')[1] ?? '').filter((one) => one.startsWith(folder));
  for (const mounted of mounts.toReversed()) spawnSync('umount', [mounted]);
}

/** One for each controller where control groups are of version 1, else one. */
function groupRoots(): readonly string[] {
  const root = '/sys/fs/cgroup';
  const inner = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [root, ...inner.map((entry) => join(root, entry.name))];
}

function folders(group: string): readonly string[] {
  return readdirSync(group, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(group, entry.name));
}

function processesIn(group: string): readonly number[] {
  if (!existsSync(group)) return [];
  const own = readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
  return [...own, ...folders(group).flatMap(processesIn)];
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

function removeGroups(group: string): void {
  if (!existsSync(group)) return;
  for (const inner of folders(group)) removeGroups(inner);
  try {
    rmdirSync(group);
  } catch {
    // Another controller is mounted under two names and was removed under the other.
  }
}
