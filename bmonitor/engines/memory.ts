import { mostMemory_mb, type EngineSettings } from '../../protocol/engines.js';
import type { EngineRunner } from '../ports/engines.js';
import { ok, refuse, type Result } from '../../protocol/result.js';

/** What is known when an engine asks for more memory, or gives some back. All in MiB. */
export interface MemoryNow {
  /** What it may use now, and what it uses. */
  readonly limit_mb: number;
  readonly used_mb: number;
  /** What all other engines that run may use together, and what all of them may have. */
  readonly others_mb: number;
  readonly all_mb: number;
}

/**
 * Within what its settings allow, and within what the node has for engines. Less than it was described with is given back like the rest; what it holds
 * just now cannot be.
 */
export function judgeMemory(settings: EngineSettings, wanted_mb: number, now: MemoryNow): Result<void> {
  const most_mb = mostMemory_mb(settings);
  if (wanted_mb > most_mb)
    return refuse('memory-refused', `its settings allow ${most_mb} MiB`, { data: { most_mb } });
  if (wanted_mb > now.limit_mb && now.others_mb + wanted_mb > now.all_mb)
    return refuse(
      'memory-refused',
      `the node has ${now.all_mb} MiB for engines, and the others may use ${now.others_mb}`,
    );
  if (wanted_mb < now.used_mb)
    return refuse('memory-refused', `it uses ${now.used_mb} MiB and would be ended`);
  return ok(undefined);
}

const mib = 1024 * 1024;

export interface MemoryParts {
  readonly runner: Pick<EngineRunner, 'usage' | 'setMemory'>;
  /** Of every engine that runs, what it was started with. */
  readonly running: () => ReadonlyMap<string, EngineSettings>;
  readonly all_mb: number;
  readonly tell: (id: string, fields: Readonly<Record<string, number>>) => void;
}

/** Engines ask one after the other, so that two of them are not given the same memory. What was given holds until the engine ends. */
export class MemoryGrants {
  readonly #parts: MemoryParts;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: MemoryParts) {
    this.#parts = parts;
  }

  /** Undefined: it only wants to know what it has. */
  ask(id: string, wanted_mb: number | undefined): Promise<Result<object>> {
    const done = this.#turn.then(() => this.#decide(id, wanted_mb));
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #decide(id: string, wanted_mb: number | undefined): Promise<Result<object>> {
    const { runner, running, all_mb, tell } = this.#parts;
    const settings = running().get(id);
    const usage = settings && (await runner.usage(id));
    if (!settings || !usage) return refuse('not-that-way', 'it does not run');
    const limit_mb = Math.floor(usage.memory_limit_bytes / mib);
    const answer = (now_mb: number): Result<object> =>
      ok({
        memory_mb: now_mb,
        most_mb: mostMemory_mb(settings),
        used_mb: Math.ceil(usage.memory_bytes / mib),
      });
    if (wanted_mb === undefined || wanted_mb === limit_mb) return answer(limit_mb);
    const others = [...running().keys()].filter((one) => one !== id);
    const limits_mb = await Promise.all(
      others.map(async (one) => ((await runner.usage(one))?.memory_limit_bytes ?? 0) / mib),
    );
    const others_mb = Math.ceil(limits_mb.reduce((sum, one) => sum + one, 0));
    const used_mb = Math.ceil(usage.memory_held_bytes / mib);
    const may = judgeMemory(settings, wanted_mb, { limit_mb, used_mb, others_mb, all_mb });
    if (!may.ok) return may;
    const set = await runner.setMemory(id, wanted_mb * mib);
    if (!set.ok) return set;
    tell(id, { memory_mb: wanted_mb, before_mb: limit_mb });
    return answer(wanted_mb);
  }
}
