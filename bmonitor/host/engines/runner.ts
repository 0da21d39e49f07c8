import { randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { engineDefaults } from '../../../protocol/engines.js';
import type { EngineSettings } from '../../../protocol/engines.js';
import { limits } from '../../../protocol/limits.js';
import { messageOf, type Log } from '../../../protocol/log.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import type {
  Adopted,
  EngineEnd,
  EngineNetwork,
  EngineRunner,
  EngineUsage,
  EngineVoice,
  RunningEngine,
  StartOrder,
} from '../../ports/engines.js';
import { begin } from './begin.js';
import { engineFolder, keepOnly, layerOf, writeBundle } from './bundle.js';
import type { Cgroups } from './cgroups.js';
import { Cradles } from './cradles.js';
import { diskOf, DiskWatch } from './disk-watch.js';
import { passPacketsOn } from './forwarding.js';
import type { FolderImages, UsableImage } from './images/store.js';
import type { EngineSockets } from './interface.js';
import { bornOf, passable, type Handle, type Instances } from './instances.js';
import { launch } from './conmon.js';
import { MemoryWatch } from './memory-watch.js';
import { beginLog } from './log-files.js';
import { LogRotation } from './log-rotation.js';
import { buried, quietly, signal, signalOf } from './signals.js';
import type { GivenSecrets } from './given-secrets.js';
import { firstIdOf, memoryOf } from './spec.js';
import { runTool, together, tried } from './tools.js';

export interface RunnerParts {
  /** Where the data of a lease rests. A refusal: it is locked, or not there. */
  readonly folderOf: (lease: string) => Promise<Result<string>>;
  /** Whether what its settings ask for is there for it. */
  readonly mayStart: (settings: EngineSettings) => Result<void>;
  /** Undefined: an engine has no network but its own loopback. A refusal: not yet. */
  readonly network: (slot: number) => Result<EngineNetwork | undefined>;
  readonly images: FolderImages;
  readonly instances: Instances;
  readonly cgroups: Cgroups;
  readonly secrets: GivenSecrets;
  readonly runtime: string;
  readonly log: Log;
  readonly sockets: EngineSockets;
  readonly voice: EngineVoice;
}

/** Engines under an OCI runtime, each watched by a conmon of its own (decision 0023). */
export class OciRunner implements EngineRunner {
  readonly #parts: RunnerParts;
  /** What runs, by engine. */
  readonly #running = new Map<string, Handle>();
  #told: (id: string, ended: EngineEnd) => void = () => {};
  readonly #rotation = new LogRotation();
  readonly #disk = new DiskWatch((id) => void this.#tooMuch(id));
  /** Ended because they wrote more than they may. */
  readonly #full = new Set<string>();
  readonly #memory: MemoryWatch;
  readonly #cradles = new Cradles();
  #look: NodeJS.Timeout | undefined;
  #begun: Promise<Result<void>> | undefined;

  constructor(parts: RunnerParts) {
    this.#parts = parts;
    this.#memory = new MemoryWatch(parts.cgroups);
  }

  onEnd(tell: (id: string, ended: EngineEnd) => void): void {
    this.#told = tell;
  }

  onStarved(tell: (id: string, processes: number) => void): void {
    this.#memory.starved = tell;
  }

  async adopt(): Promise<Result<readonly Adopted[]>> {
    const { instances, cgroups } = this.#parts;
    const found: Adopted[] = [];
    if (!instances.made) return ok(found);
    const begun = await this.#begin();
    if (!begun.ok) return begun;
    const handles = await instances.all();
    await this.#parts.secrets.keepOnly(new Set(handles.map(({ instance }) => instance)));
    for (const handle of handles) {
      const frozen = await cgroups.isFrozen(handle.instance);
      const engine = runningOf(handle, frozen, await instances.settingsOf(handle.instance));
      const alive = (await bornOf(handle.pid)) === handle.born;
      if (alive) {
        this.#running.set(handle.id, handle);
        this.#watch(handle);
        await this.#memory.begin(handle);
        await this.#listen(handle.id, handle.instance);
        found.push({ engine });
        continue;
      }
      const ended = (await instances.endOf(handle.instance)) ?? { at_ms: Date.now() };
      found.push({ engine, ended: await this.#memory.judged(handle, ended) });
      await this.#bury(handle);
    }
    return ok(found);
  }

  async start(order: StartOrder): Promise<Result<RunningEngine>> {
    const { folderOf, images, instances } = this.#parts;
    const begun = await this.#begin();
    if (!begun.ok) return begun;
    const folder = await folderOf(order.lease);
    if (!folder.ok) return folder;
    const may = this.#parts.mayStart(order.settings);
    if (!may.ok) return may;
    const network = this.#parts.network(order.slot);
    if (!network.ok) return network;
    if (network.value) passPacketsOn();
    const image = await images.open(order.lease, order.settings.image);
    if (!image.ok) return image;
    const room = await this.#roomFor(order, folder.value);
    if (!room.ok) return room;
    const instance = `bm-${order.slot}-${randomBytes(6).toString('hex')}`;
    const run = instances.folderOf(instance);
    try {
      await passable(run);
      const at = {
        run,
        cgroup: this.#parts.cgroups.pathOf(instance),
        leaseFolder: folder.value,
        secrets: this.#parts.secrets.folderOf(instance),
        memory: this.#parts.cgroups.memory(memoryOf(order.settings)),
      };
      const logs = join(engineFolder(folder.value, order.id), 'logs');
      this.#parts.voice.begin(order.id);
      const [groups, layer, folders] = await together(
        this.#parts.cgroups.watchers(),
        order.settings.readOnly === true ? '' : layerOf(folder.value, order),
        writeBundle(order, image.value, at),
        this.#listen(order.id, instance),
        beginLog(logs),
      );
      instances.keepSettings(instance, order.settings);
      if (!folders.ok) return await this.#undo(instance, folders);
      const given = await this.#parts.secrets.giveAll(instance, order);
      if (!given.ok) return await this.#undo(instance, given);
      // While it is made, and before anything of it runs, it is looked whether the image is still what its digest says.
      const same = images.check(order.lease, order.settings.image);
      const pid = await launch(this.#cradles.take(groups), {
        instance,
        run,
        layer,
        logs,
        folders: folders.value,
        network: network.value,
        rootfs: image.value.rootfs,
        firstId: firstIdOf(order.slot),
        terminal: order.settings.terminal === true,
        runtime: this.#parts.runtime,
        runtimeRoot: instances.runtimeRoot,
        exits: instances.exits,
      });
      const checked = await same;
      if (!pid.ok) return await this.#undo(instance, pid);
      if (!checked.ok) return await this.#undo(instance, checked);
      const handle = await this.#handle(order, image.value, { instance, pid: pid.value, logs });
      instances.remember(handle);
      await this.#memory.begin(handle);
      const started = await begin(this.#parts.runtime, instances.runtimeRoot, instance);
      if (!started.ok) return await this.#undo(instance, started, handle);
      this.#running.set(order.id, handle);
      this.#watch(handle);
      // It may have ended before anybody listened.
      setImmediate(() => void this.#seen(instance));
      this.#cradles.prepare(groups);
      return ok(runningOf(handle, false, order.settings));
    } catch (error) {
      return this.#undo(instance, refuse('engine-failed', messageOf(error)));
    }
  }

  /** What runs of an engine now. */
  handleOf(id: string): Handle | undefined {
    return this.#running.get(id);
  }

  async terminate(id: string): Promise<Result<void>> {
    const handle = this.#running.get(id);
    if (handle) await signal(handle, signalOf(handle.stopSignal));
    return ok(undefined);
  }

  async kill(id: string): Promise<Result<void>> {
    const handle = this.#running.get(id);
    if (!handle) return ok(undefined);
    await signal(handle, 'SIGKILL');
    return ok(undefined);
  }

  async freeze(id: string, frozen: boolean): Promise<Result<void>> {
    const handle = this.#running.get(id);
    if (!handle) return ok(undefined);
    return tried('engine-failed', () => this.#parts.cgroups.freeze(handle.instance, frozen));
  }

  async setMemory(id: string, bytes: number): Promise<Result<void>> {
    const handle = this.#running.get(id);
    if (!handle) return refuse('not-that-way', 'it does not run');
    return tried('memory-refused', () => this.#parts.cgroups.setMemory(handle.instance, bytes));
  }

  async usage(id: string): Promise<EngineUsage | undefined> {
    const handle = this.#running.get(id);
    return handle && this.#parts.cgroups.usage(handle.instance);
  }

  async renewSecrets(id: string, names: readonly string[]): Promise<Result<readonly string[]>> {
    const handle = this.#running.get(id);
    return handle ? this.#parts.secrets.renew(handle, names) : ok([]);
  }

  async hangUp(id: string): Promise<void> {
    const handle = this.#running.get(id);
    if (handle) await signal(handle, 'SIGHUP');
  }

  async forget(lease: string, id: string): Promise<Result<void>> {
    const folder = await this.#parts.folderOf(lease);
    // Without its folder there is nothing to be removed any more.
    if (folder.ok) await rm(engineFolder(folder.value, id), { recursive: true, force: true });
    return ok(undefined);
  }

  async forgetOthers(lease: string, ids: ReadonlySet<string>): Promise<void> {
    const folder = await this.#parts.folderOf(lease);
    if (folder.ok) await keepOnly(folder.value, new Set([...ids, ...this.#running.keys()]));
  }

  async close(): Promise<void> {
    clearInterval(this.#look);
    this.#rotation.close();
    this.#disk.close();
    await this.#parts.sockets.closeAll();
    this.#parts.instances.close();
    await this.#cradles.close();
    if (!this.#begun || this.#running.size > 0) return;
    await this.#parts.secrets.close();
    await this.#parts.instances.remove();
    for (const group of ['watch', '']) await this.#parts.cgroups.remove(group);
  }

  /** The folder of what runs, and who looks at it: made when first needed. */
  #begin(): Promise<Result<void>> {
    this.#begun ??= this.#beginNow();
    return this.#begun;
  }

  async #beginNow(): Promise<Result<void>> {
    const { instances } = this.#parts;
    try {
      await instances.open();
    } catch (error) {
      this.#begun = undefined;
      return refuse('engines-not-here', messageOf(error));
    }
    instances.watch((instance) => void this.#seen(instance));
    this.#look = setInterval(() => void this.#lookAtAll(), limits.engine_look_ms);
    return ok(undefined);
  }

  /** Its log is put aside when it is full, and what it writes is measured. */
  #watch({ id, instance, logs, disk_bytes }: Handle): void {
    if (logs === undefined) return;
    this.#rotation.watch(instance, logs, this.#parts.instances.folderOf(instance));
    if (disk_bytes !== undefined) this.#disk.watch({ id, folder: dirname(logs), bytes_max: disk_bytes });
  }

  async #tooMuch(id: string): Promise<void> {
    const handle = this.#running.get(id);
    if (!handle) return;
    this.#full.add(id);
    await this.freeze(id, false);
    await signal(handle, 'SIGKILL');
  }

  /** Whoever was ended for what it wrote starts again when there is room: it was given more, or reloaded. */
  async #roomFor({ id, layer, settings }: StartOrder, leaseFolder: string): Promise<Result<void>> {
    if (!this.#full.has(id)) return ok(undefined);
    const folder = engineFolder(leaseFolder, id);
    const fresh = !existsSync(join(folder, 'layers', String(layer)));
    if (!fresh && (await diskOf(folder)) > diskOfSettings(settings))
      return refuse(
        'engine-out-of-disk',
        settings.disk_mb === undefined ? undefined : `${settings.disk_mb} MiB`,
      );
    this.#full.delete(id);
    return ok(undefined);
  }

  /** An engine without its socket runs all the same. */
  async #listen(id: string, instance: string): Promise<void> {
    const { sockets, instances, log } = this.#parts;
    const listening = await sockets.open(id, instances.folderOf(instance));
    if (!listening.ok) log.warn('engine.no-interface', { why: listening.refusal.detail });
  }

  async #handle(
    order: StartOrder,
    { config }: UsableImage,
    { instance, pid, logs }: { readonly instance: string; readonly pid: number; readonly logs: string },
  ): Promise<Handle> {
    const [born, watcher] = await together(
      bornOf(pid),
      readFile(join(this.#parts.instances.folderOf(instance), 'watcher'), 'utf8'),
    );
    if (born === undefined) throw new Error('it ended while it was made');
    const { id, lease, round, revision, slot } = order;
    const { stopSignal } = config;
    return {
      v: 1,
      instance,
      id,
      lease,
      round,
      revision,
      slot,
      pid,
      born,
      watcher: Number(watcher),
      since_ms: Date.now(),
      stopSignal,
      runtime: this.#parts.runtime,
      logs,
      disk_bytes: diskOfSettings(order.settings),
    };
  }

  async #undo<T>(instance: string, refused: Result<unknown>, handle?: Handle): Promise<Result<T>> {
    if (handle) await signal(handle, 'SIGKILL');
    await this.#clear(instance);
    return refused.ok ? refuse('engine-failed') : refused;
  }

  /** conmon wrote that an instance ended, or it was not there any more. */
  async #seen(instance: string): Promise<void> {
    const handle = [...this.#running.values()].find((one) => one.instance === instance);
    const ended = handle && (await this.#parts.instances.endOf(instance));
    if (handle && ended) await this.#ended(handle, ended);
  }

  async #ended(handle: Handle, ended: Omit<EngineEnd, 'outOfMemory'>): Promise<void> {
    if (this.#running.get(handle.id) !== handle) return;
    this.#running.delete(handle.id);
    this.#rotation.forget(handle.instance);
    this.#disk.forget(handle.id);
    await buried(handle.watcher);
    const judged = await this.#memory.judged(handle, ended);
    this.#told(handle.id, this.#full.has(handle.id) ? { ...judged, outOfDisk: true } : judged);
    await this.#bury(handle);
  }

  /** An engine whose conmon was killed ends without anybody writing it down. */
  async #lookAtAll(): Promise<void> {
    for (const handle of this.#running.values()) {
      if ((await bornOf(handle.pid)) === handle.born) continue;
      const ended = await this.#parts.instances.endOf(handle.instance);
      if (ended) await this.#ended(handle, ended);
      else if ((await bornOf(handle.watcher)) === undefined) await this.#ended(handle, { at_ms: Date.now() });
    }
    await this.#memory.look(this.#running);
  }

  async #bury(handle: Handle): Promise<void> {
    await this.#parts.sockets.close(handle.id);
    // Whatever outlived the first process of the engine is of the same group.
    for (const pid of await this.#parts.cgroups.processes(handle.instance)) quietly(pid);
    await this.#clear(handle.instance, handle.runtime);
  }

  async #clear(instance: string, runtime = this.#parts.runtime): Promise<void> {
    const { instances, cgroups } = this.#parts;
    await runTool(runtime, ['--root', instances.runtimeRoot, 'delete', '--force', instance]);
    await cgroups.remove(instance);
    await this.#parts.secrets.forget(instance);
    await instances.forget(instance);
  }
}

function diskOfSettings({ disk_mb = engineDefaults.disk_mb }: StartOrder['settings']): number {
  return disk_mb * 1024 * 1024;
}

function runningOf(handle: Handle, frozen: boolean, settings?: EngineSettings): RunningEngine {
  const { id, lease, round, revision, pid, since_ms } = handle;
  return { id, lease, round, revision, pid, since_ms, frozen, ...(settings ? { settings } : {}) };
}
