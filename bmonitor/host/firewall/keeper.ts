import { readdir, readFile, readlink } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import type { Prefix } from './nft-shell.js';
import { runTool } from './tool.js';

/**
 * A keeper is an nft shell of a BMonitor that ended, which still holds the latch of its network namespace. It is known
 * by a word in its environment.
 */
export const keeperSign = { BMONITOR_LATCH: 'held' } as const;
const sign = `BMONITOR_LATCH=${keeperSign.BMONITOR_LATCH}`;

const end_ms_max = 2000;
const look_ms = 5;

async function isKeeper(pid: string, namespace: string): Promise<boolean> {
  const at = `/proc/${pid}`;
  try {
    if ((await readFile(`${at}/comm`, 'utf8')).trim() !== 'nft') return false;
    if ((await readlink(`${at}/ns/net`)) !== namespace) return false;
    return (await readFile(`${at}/environ`, 'utf8')).split('\0').includes(sign);
  } catch {
    // It ended while it was looked at, or it is not ours to look at.
    return false;
  }
}

async function keepersIn(namespace: string): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/u.test(name));
  const found = await Promise.all(pids.map((pid) => isKeeper(pid, namespace)));
  return pids.filter((_, index) => found[index] === true).map(Number);
}

async function until(done: () => Promise<boolean>): Promise<Result<void>> {
  const started = performance.now();
  while (!(await done())) {
    if (performance.now() - started > end_ms_max)
      return refuse('firewall-tool-failed', 'the keeper of an earlier latch does not end');
    await pause(look_ms);
  }
  return ok(undefined);
}

function signal(pids: readonly number[], name: 'SIGSTOP' | 'SIGKILL'): void {
  for (const pid of pids)
    try {
      process.kill(pid, name);
    } catch {
      // It ended by itself.
    }
}

/** The letter of the process's state; none when it is gone. */
async function stateOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return /\) (\w)/u.exec(stat)?.[1] ?? '';
}

async function allAre(pids: readonly number[], states: readonly string[]): Promise<boolean> {
  return (await Promise.all(pids.map(stateOf))).every((state) => states.includes(state));
}

/** A process that is dead but not yet buried has closed all it held. */
const ended: readonly string[] = ['Z', 'X', ''];

/** Stops those of the namespace that `prefix` leads into: they hold their latch, and finish nothing that they had begun. */
export async function haltKeepers(prefix: Prefix): Promise<Result<readonly number[]>> {
  const read = await runTool(prefix, ['readlink', '/proc/self/ns/net']);
  if (!read.ok) return read;
  const pids = await keepersIn(read.value.stdout.trim());
  signal(pids, 'SIGSTOP');
  const halted = await until(() => allAre(pids, ['T', ...ended]));
  return halted.ok ? ok(pids) : halted;
}

/** Their latch goes with them. */
export async function endKeepers(pids: readonly number[]): Promise<Result<void>> {
  signal(pids, 'SIGKILL');
  return until(() => allAre(pids, ended));
}
