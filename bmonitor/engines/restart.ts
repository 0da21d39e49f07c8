import type { EngineSettings } from '../../protocol/engines.js';
import { limits } from '../../protocol/limits.js';
import type { EngineEnd } from '../ports/engines.js';

/** What is remembered from end to end: how often in a row the engine ended soon. */
export interface RestartMemory {
  readonly soon: number;
}

export const fresh: RestartMemory = { soon: 0 };

export interface Verdict {
  /** Undefined: it is not started again. */
  readonly after_ms: number | undefined;
  readonly memory: RestartMemory;
}

/**
 * Whether an engine that ended by itself is started again, and when. The first time at once; then the wait doubles with each end, up to a
 * minute; whoever ran well for a while begins anew.
 */
export function afterEnd(
  settings: Pick<EngineSettings, 'restart'>,
  ended: EngineEnd,
  ran_ms: number,
  memory: RestartMemory,
): Verdict {
  const failed = ended.code !== 0 || ended.outOfMemory || ended.unwell !== undefined;
  const policy = settings.restart ?? 'always';
  if (policy === 'never' || (policy === 'on-failure' && !failed))
    return { after_ms: undefined, memory: fresh };
  const soon = ran_ms >= limits.engine_well_ms ? 0 : memory.soon;
  return { after_ms: delay_ms(soon), memory: { soon: soon + 1 } };
}

/** An engine that could not be started is tried again in the same way, whatever its policy: nobody asked it to stop. */
export function afterFailure(memory: RestartMemory): Verdict {
  return { after_ms: delay_ms(memory.soon + 1), memory: { soon: memory.soon + 1 } };
}

function delay_ms(soon: number): number {
  if (soon === 0) return 0;
  return Math.min(limits.engine_delay_ms_max, limits.engine_first_delay_ms * 2 ** Math.min(soon - 1, 20));
}
