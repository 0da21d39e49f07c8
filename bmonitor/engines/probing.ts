import { probeDefaults, probeFailures, type Probe } from '../../protocol/engine-probes.js';
import type { Ailment, Probed } from '../ports/engines.js';

export type Wellness = 'good' | 'bad' | 'unknown';

/** What is remembered of one probe of one run. */
export interface ProbeMemory {
  readonly state: Wellness;
  /** Since when it is in this state, and when it was last tried. */
  readonly since_ms: number;
  readonly tried_ms?: number;
  /** In a row. */
  readonly failures: number;
  readonly successes: number;
  readonly last?: { readonly why: Ailment; readonly detail: string };
}

export function unknownSince(now_ms: number): ProbeMemory {
  return { state: 'unknown', since_ms: now_ms, failures: 0, successes: 0 };
}

/**
 * What is known of an engine by one probe after it was tried once more. Nothing is held against an engine that is starting; one good answer is
 * enough for one that was never bad, and then its start is over.
 */
export function afterProbe(
  settings: Pick<Probe, 'kind' | 'failures' | 'successes'>,
  before: ProbeMemory,
  probed: Probed,
  at: { readonly now_ms: number; readonly starting: boolean },
): ProbeMemory {
  const { now_ms, starting } = at;
  if (probed.well) {
    const successes = before.successes + 1;
    const needed = before.state === 'bad' ? (settings.successes ?? probeDefaults.successes) : 1;
    const { last: _over, ...kept } = before;
    return turned(
      { ...kept, tried_ms: now_ms, failures: 0, successes },
      successes >= needed ? 'good' : before.state,
      now_ms,
    );
  }
  const last = { why: probed.why, detail: probed.detail };
  if (before.state === 'unknown' && starting) return { ...before, tried_ms: now_ms, successes: 0, last };
  const failures = before.failures + 1;
  const bad = failures >= probeFailures(settings);
  return turned(
    { ...before, tried_ms: now_ms, successes: 0, failures, last },
    bad ? 'bad' : before.state,
    now_ms,
  );
}

function turned(memory: ProbeMemory, state: Wellness, now_ms: number): ProbeMemory {
  return state === memory.state ? memory : { ...memory, state, since_ms: now_ms };
}

/** An engine is as well as the worst of its probes says; before all of them said something, that is not known. */
export function wellnessOf(memories: readonly ProbeMemory[]): Wellness {
  if (memories.some(({ state }) => state === 'bad')) return 'bad';
  return memories.every(({ state }) => state === 'good') ? 'good' : 'unknown';
}
