import { existsSync, readdirSync, statfsSync } from 'node:fs';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineUsage } from '../../ports/engines.js';

const mounted = '/sys/fs/cgroup';
const unified = 0x6367_7270;
const controllers = ['memory', 'cpu', 'cpuacct', 'pids', 'freezer', 'devices'] as const;

const memoryAndSwap = 'memory.memsw.limit_in_bytes';

/** Not every kernel of version 1 does. */
function countsSwap(): boolean {
  return existsSync(join(mounted, 'memory', memoryAndSwap));
}

function limitFile(version: 1 | 2): string {
  return version === 2 ? 'memory.max' : 'memory.limit_in_bytes';
}

/** Copies of files that nothing uses just now. */
function cachedOf(kinds = ''): number {
  return Number(/^(?:total_)?inactive_file (\d+)$/mu.exec(kinds)?.[1] ?? 0);
}

/** The control groups of engines: one hierarchy (v2), or one for each controller (v1). */
export class Cgroups {
  readonly version: 1 | 2;
  readonly #base: string;

  /** `base` is the group under which all engines of this node stand. */
  constructor(base: string) {
    this.version = statfsSync(mounted).type === unified ? 2 : 1;
    this.#base = base;
  }

  /** As the runtime is told it. */
  pathOf(instance: string): string {
    return join(this.#base, instance);
  }

  /** Groups for those who watch the engines: not BMonitor's own, so that stopping BMonitor does not stop them. */
  async watchers(): Promise<readonly string[]> {
    const folders = this.#folders('watch');
    for (const folder of folders) {
      await mkdir(folder, { recursive: true });
      // A processor set starts empty, and takes no process before it has what its parent has.
      if (folder.startsWith(join(mounted, 'cpuset'))) return [];
    }
    if (this.version === 2) await this.#delegate();
    return folders;
  }

  async usage(instance: string): Promise<EngineUsage | undefined> {
    const v2 = this.version === 2;
    const [memory, most, kinds, processor, processes] = await Promise.all([
      this.#read(instance, 'memory', v2 ? 'memory.current' : 'memory.usage_in_bytes'),
      this.#read(instance, 'memory', limitFile(this.version)),
      this.#read(instance, 'memory', 'memory.stat'),
      this.#read(instance, 'cpuacct', v2 ? 'cpu.stat' : 'cpuacct.usage'),
      this.#read(instance, 'pids', 'pids.current'),
    ]);
    if (memory === undefined) return undefined;
    const used_ms = v2
      ? Number(/usage_usec (\d+)/u.exec(processor ?? '')?.[1] ?? 0) / 1000
      : Number(processor ?? 0) / 1e6;
    return {
      memory_bytes: Number(memory),
      memory_held_bytes: Math.max(0, Number(memory) - cachedOf(kinds)),
      memory_limit_bytes: most === undefined || most === 'max' ? 0 : Number(most),
      processor_ms: Math.round(used_ms),
      processes: Number(processes ?? 0),
    };
  }

  /** As the runtime is told it: so much, and nothing of it ever in a swap, where the keys of a lease do not reach. */
  memory(bytes: number): Readonly<Record<string, number>> {
    // What version 2 calls swap is counted beside the memory, and for the runtime both are one number.
    if (this.version === 2) return { limit: bytes, swap: bytes };
    return { limit: bytes, swappiness: 0, ...(countsSwap() ? { swap: bytes } : {}) };
  }

  /** The kernel first takes back what it can; it refuses, or here would end the engine, where that is not enough. */
  async setMemory(instance: string, bytes: number): Promise<void> {
    const [folder = ''] = this.#folders(instance, 'memory');
    const files = [join(folder, limitFile(this.version))];
    if (this.version === 1 && countsSwap()) {
      const both = join(folder, memoryAndSwap);
      // Never less of both than of the one.
      if (Number(await readFile(both, 'utf8')) < bytes) files.unshift(both);
      else files.push(both);
    }
    for (const file of files) await writeFile(file, String(bytes));
  }

  /** How many processes of the group the kernel ended because it had no more memory, since it was made. */
  async oomKills(instance: string): Promise<number> {
    const file = this.version === 2 ? 'memory.events' : 'memory.oom_control';
    return Number(/^oom_kill (\d+)$/mu.exec((await this.#read(instance, 'memory', file)) ?? '')?.[1] ?? 0);
  }

  /** Resolves when every process of the group stands still, or goes again. */
  async freeze(instance: string, frozen: boolean): Promise<void> {
    const [folder = ''] = this.#folders(instance, 'freezer');
    if (this.version === 2) return writeFile(join(folder, 'cgroup.freeze'), frozen ? '1' : '0');
    const file = join(folder, 'freezer.state');
    const word = frozen ? 'FROZEN' : 'THAWED';
    for (let tries = 0; tries < 100; tries += 1) {
      await writeFile(file, word);
      if ((await readFile(file, 'utf8')).trim() === word) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error('the kernel does not freeze it');
  }

  async isFrozen(instance: string): Promise<boolean> {
    const [folder = ''] = this.#folders(instance, 'freezer');
    const file = this.version === 2 ? 'cgroup.freeze' : 'freezer.state';
    const said = await readFile(join(folder, file), 'utf8').catch(() => '');
    return said.trim() === '1' || said.startsWith('FR');
  }

  /** Every process of the group, also those that left the engine's own namespace of processes. */
  async processes(instance: string): Promise<readonly number[]> {
    const [folder = ''] = this.#folders(instance, 'pids');
    const said = await readFile(join(folder, 'cgroup.procs'), 'utf8').catch(() => '');
    return said.split('\n').filter(Boolean).map(Number);
  }

  async remove(instance: string): Promise<void> {
    for (const folder of this.#folders(instance)) await rmdir(folder).catch(() => undefined);
  }

  async #read(instance: string, controller: string, file: string): Promise<string | undefined> {
    const [folder = ''] = this.#folders(instance, controller);
    return readFile(join(folder, file), 'utf8').then(
      (said) => said.trim(),
      () => undefined,
    );
  }

  #folders(instance: string, only?: string): readonly string[] {
    if (this.version === 2) return [join(mounted, this.#base, instance)];
    const names = only === undefined ? readdirSync(mounted) : [only];
    return names
      .filter((name) => only !== undefined || name === 'systemd' || controllers.some((one) => one === name))
      .filter((name) => existsSync(join(mounted, name)))
      .map((name) => join(mounted, name, this.#base, instance));
  }

  /** What is below may be limited only where what is above hands it down. */
  async #delegate(): Promise<void> {
    const parts = this.#base.split('/').filter(Boolean);
    for (let depth = 0; depth <= parts.length; depth += 1) {
      const file = join(mounted, ...parts.slice(0, depth), 'cgroup.subtree_control');
      for (const controller of ['memory', 'cpu', 'pids'])
        await writeFile(file, `+${controller}`).catch(() => undefined);
    }
  }
}
