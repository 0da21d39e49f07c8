import { spawn } from 'node:child_process';
import { readdir, readlink, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cableLines, insideLines, type PlacePlan } from './plan.js';
import { isAbandoned, ownerOf } from './names.js';

export const netnsDir = '/run/netns';

/** Runs a program of the bed's own and throws what it said if it fails: that is a broken bed, not a test's result. */
export async function must(program: string, args: readonly string[], input = ''): Promise<string> {
  const child = spawn(program, args, { stdio: 'pipe' });
  let out = '';
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${said.trim() || `exit ${code}`}\n${input}`);
  return out;
}

export async function createNamespaces(bed: string, places: readonly PlacePlan[]): Promise<void> {
  await must('ip', ['-batch', '-'], cableLines(bed, places).join('\n'));
  const inside = insideLines(bed, places);
  await Promise.all(
    [...inside].map(([name, lines]) => must('ip', ['-n', name, '-batch', '-'], lines.join('\n'))),
  );
  await must('nsenter', [
    `--net=${netnsDir}/${bed}-router`,
    'sh',
    '-c',
    'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding',
  ]);
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch {
    return [];
  }
}

async function namespacesOf(bed: string): Promise<string[]> {
  return (await namesIn(netnsDir)).filter((name) => ownerOf(name)?.bed === bed);
}

/** Process ids in any of these namespaces: one walk through /proc, whatever the number of namespaces. */
export async function processesIn(namespaces: readonly string[]): Promise<number[]> {
  const inodes = new Set<string>();
  for (const name of namespaces) {
    const file = await stat(join(netnsDir, name)).catch(() => undefined);
    if (file !== undefined) inodes.add(`net:[${file.ino}]`);
  }
  const pids = (await namesIn('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => inodes.has(await readlink(`/proc/${pid}/ns/net`).catch(() => ''))),
  );
  return pids.filter((_, index) => found[index]);
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself in the meantime, which is what was wanted.
  }
}

/** Removes all that carries the bed's name: processes first, because a namespace lives as long as one is in it. */
export async function removeBed(bed: string): Promise<void> {
  const namespaces = await namespacesOf(bed);
  for (let round = 0; round < 100; round++) {
    const pids = (await processesIn(namespaces)).filter((pid) => pid !== process.pid);
    if (pids.length === 0) break;
    pids.forEach(killQuietly);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  if (namespaces.length > 0) {
    await must('ip', ['-batch', '-'], namespaces.map((name) => `netns del ${name}`).join('\n'));
  }
  await rm(bedDir(bed), { recursive: true, force: true });
}

export function bedDir(bed: string): string {
  return join(tmpdir(), bed);
}

/** Removes beds whose owner is gone. Returns their names. */
export async function removeAbandonedBeds(): Promise<string[]> {
  const names = [...(await namesIn(netnsDir)), ...(await namesIn(tmpdir()))];
  const owners = names.map(ownerOf).filter((owner) => owner !== undefined);
  const beds = new Set(owners.filter(isAbandoned).map((owner) => owner.bed));
  // Two runs may sweep at once: what the other one removed first is no fault.
  await Promise.all([...beds].map((bed) => removeBed(bed).catch(() => {})));
  return [...beds];
}
