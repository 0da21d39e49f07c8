import { limits } from '../../../protocol/limits.js';
import type { EngineEnd } from '../../ports/engines.js';
import type { Cgroups } from './cgroups.js';
import type { Handle } from './instances.js';

/** Tells engines that ended for their memory from those that only once lost a process so: by the kernel's own count for their group. */
export class MemoryWatch {
  readonly #cgroups: Cgroups;
  /** How many of its processes the kernel had ended for its memory when that was last looked at. */
  readonly #seen = new Map<string, number>();
  #looks = 0;
  starved: (id: string, processes: number) => void = () => {};

  constructor(cgroups: Cgroups) {
    this.#cgroups = cgroups;
  }

  /** It was started, or found running: what was before is of the past. */
  async begin({ id, instance }: Handle): Promise<void> {
    this.#seen.set(id, await this.#cgroups.oomKills(instance));
  }

  /** Called at each look. The kernel may end one process of an engine whose first one goes on: then it is told, and explains no later end. */
  async look(running: ReadonlyMap<string, Handle>): Promise<void> {
    this.#looks += 1;
    if ((this.#looks * limits.engine_look_ms) % limits.engine_oom_look_ms !== 0) return;
    for (const { id, instance } of running.values()) {
      const kills = await this.#cgroups.oomKills(instance);
      const more = kills - (this.#seen.get(id) ?? 0);
      if (more <= 0 || running.get(id)?.instance !== instance) continue;
      this.#seen.set(id, kills);
      this.starved(id, more);
    }
  }

  /** Whether the kernel ended a process of it for its memory just before it failed. */
  async judged({ id, instance }: Handle, ended: Omit<EngineEnd, 'outOfMemory'>): Promise<EngineEnd> {
    const kills = await this.#cgroups.oomKills(instance);
    const before = this.#seen.get(id) ?? 0;
    this.#seen.delete(id);
    return { ...ended, outOfMemory: ended.code !== 0 && kills > before };
  }
}
