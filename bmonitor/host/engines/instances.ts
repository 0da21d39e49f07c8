import { existsSync, renameSync, watch, writeFileSync, type FSWatcher } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { statfsSync } from 'node:fs';
import { engineSettings, type EngineSettings } from '../../../protocol/engines.js';
import type { EngineEnd } from '../../ports/engines.js';
import { runTool } from './tools.js';

/** What is remembered of something that runs, so that the next BMonitor finds it. No secrets, no names: ids only. */
export interface Handle {
  readonly v: 1;
  /** The runtime's name for it. */
  readonly instance: string;
  readonly id: string;
  readonly lease: string;
  readonly round: number;
  readonly revision: number;
  readonly slot: number;
  readonly pid: number;
  /** When the kernel started that process: a number may come again, this does not come with it. */
  readonly born: string;
  readonly watcher: number;
  readonly since_ms: number;
  readonly stopSignal: string;
  /** What made it, which knows it by its own files. Absent: it was started by a BMonitor that did not write that down. */
  readonly runtime?: string;
  /** The folder of its log. Absent: it was started by a BMonitor that did not write that down. */
  readonly logs?: string;
  /** What it may write; as above. */
  readonly disk_bytes?: number;
}

const tmpfs = 0x0102_1994;

/**
 * The folder of what runs, in memory: it knows nothing after the power was cut, when nothing runs either. What the runtime is told (variables, commands)
 * stands there too, and so on no disk.
 *
 *   i/<instance>/handle.json   what is remembered
 *   i/<instance>/settings.json what it was started with
 *   i/<instance>/…             the runtime's bundle
 *   exits/<instance>           written by conmon: what it ended with
 */
export class Instances {
  readonly #folder: string;
  #watcher: FSWatcher | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Something ran here since the machine was started, or a start was tried. */
  get made(): boolean {
    return existsSync(join(this.#folder, 'exits'));
  }

  async open(): Promise<void> {
    await passable(this.#folder);
    if (statfsSync(this.#folder).type !== tmpfs)
      await runTool('mount', [
        '-t',
        'tmpfs',
        '-o',
        'mode=0711,nosuid,nodev,size=256m',
        'bmonitor',
        this.#folder,
      ]);
    for (const name of ['i', 'exits', 'runtime']) await passable(join(this.#folder, name));
  }

  get runtimeRoot(): string {
    return join(this.#folder, 'runtime');
  }

  get exits(): string {
    return join(this.#folder, 'exits');
  }

  folderOf(instance: string): string {
    return join(this.#folder, 'i', instance);
  }

  async all(): Promise<readonly Handle[]> {
    const found: Handle[] = [];
    for (const name of await readdir(join(this.#folder, 'i'))) {
      const handle = await this.#read(name);
      if (handle) found.push(handle);
      // Its start was cut off before it was remembered; whatever there is of it is not wanted.
      else await rm(this.folderOf(name), { recursive: true, force: true });
    }
    return found;
  }

  remember(handle: Handle): void {
    const file = join(this.folderOf(handle.instance), 'handle.json');
    writeFileSync(`${file}.new`, JSON.stringify(handle));
    renameSync(`${file}.new`, file);
  }

  /** What it was started with: in memory, like what the runtime is told. */
  keepSettings(instance: string, settings: EngineSettings): void {
    writeFileSync(join(this.folderOf(instance), 'settings.json'), JSON.stringify(settings), { mode: 0o600 });
  }

  async settingsOf(instance: string): Promise<EngineSettings | undefined> {
    try {
      const text = await readFile(join(this.folderOf(instance), 'settings.json'), 'utf8');
      const parsed = engineSettings(JSON.parse(text), 'settings');
      return parsed.ok ? parsed.value : undefined;
    } catch {
      // It was started by a BMonitor that did not write them down.
      return undefined;
    }
  }

  async forget(instance: string): Promise<void> {
    await rm(this.folderOf(instance), { recursive: true, force: true });
    await rm(join(this.exits, instance), { force: true });
  }

  /** What conmon wrote when it ended. Undefined: it has not, or nobody saw it. */
  async endOf(instance: string): Promise<Omit<EngineEnd, 'outOfMemory'> | undefined> {
    const file = join(this.exits, instance);
    try {
      const [said, { mtimeMs }] = await Promise.all([readFile(file, 'utf8'), stat(file)]);
      if (said === '') return undefined;
      return {
        code: Number(said),
        at_ms: Math.floor(mtimeMs),
      };
    } catch {
      return undefined;
    }
  }

  /** Tells of instances that ended. */
  watch(tell: (instance: string) => void): void {
    this.#watcher = watch(this.exits, (_, name) => {
      if (name !== null && !name.endsWith('.tmp') && !name.startsWith('.')) tell(name);
    });
  }

  close(): void {
    this.#watcher?.close();
  }

  /** When nothing runs, nothing has to be found again. */
  async remove(): Promise<void> {
    await runTool('umount', [this.#folder]);
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #read(name: string): Promise<Handle | undefined> {
    try {
      const handle = JSON.parse(await readFile(join(this.folderOf(name), 'handle.json'), 'utf8')) as Handle;
      return handle.v === 1 ? handle : undefined;
    } catch {
      return undefined;
    }
  }
}

/** A folder through which an engine's root, who is nobody here, can pass: whatever mask BMonitor was started with. */
export async function passable(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await chmod(folder, 0o711);
}

/** When a process was started, in the kernel's ticks; undefined when it is not there or only waits to be buried. */
export async function bornOf(pid: number): Promise<string | undefined> {
  const said = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  const fields = said.slice(said.lastIndexOf(')') + 2).split(' ');
  return fields[0] === undefined || fields[0] === '' || fields[0] === 'Z' || fields[0] === 'X'
    ? undefined
    : fields[19];
}
