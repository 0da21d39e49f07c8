import { probeDefaults, probeName, type Probe } from '../../protocol/engine-probes.js';
import { limits } from '../../protocol/limits.js';
import type { Ailment, EngineProber, Probed, RunningEngine } from '../ports/engines.js';
import type { Timing } from './life.js';
import { afterProbe, unknownSince, wellnessOf, type ProbeMemory, type Wellness } from './probing.js';

/** What is not well with an engine, by which of its probes. */
export interface Unwell {
  readonly probe: string;
  readonly why: Ailment;
  readonly detail: string;
}

export interface HealthFacts {
  readonly health: Wellness;
  readonly probes: readonly {
    readonly probe: string;
    readonly state: Wellness;
    readonly since_ms: number;
    readonly tried_ms?: number;
    readonly why?: Ailment;
    readonly detail?: string;
  }[];
}

export interface HealthParts {
  readonly timing: Timing;
  /** Milliseconds that only ever rise: a wall clock that is set must not make an engine look hung. */
  readonly steady: () => number;
  readonly prober: EngineProber;
  /** When it last said of itself that it lives, by the steady clock. */
  readonly beatOf: (id: string) => number | undefined;
  readonly tell: (id: string, kind: string, fields: Readonly<Record<string, string>>) => void;
}

interface Try {
  readonly probe: Probe;
  memory: ProbeMemory;
  callOff: () => void;
}

interface Watched {
  readonly engine: RunningEngine;
  readonly unwell: (what: Unwell) => void;
  readonly tries: readonly Try[];
  /** By the steady clock. */
  readonly started_ms: number;
  /** From here on its beats count: before, nobody listened, or it was frozen. */
  from_ms: number;
  frozen: boolean;
}

/**
 * Whether engines work, beside that they run. Each probe goes by itself, the next time after the last one was answered.
 *
 * INVARIANTS:
 * - Nothing is tried of an engine that is frozen or has ended; an answer that comes later than that is forgotten.
 * - A probe that was not tried, or not often enough, says `unknown`, never `good`.
 */
export class EngineHealth {
  readonly #parts: HealthParts;
  readonly #watched = new Map<string, Watched>();

  constructor(parts: HealthParts) {
    this.#parts = parts;
  }

  /** An engine was started, or found running by a new BMonitor, which goes on where nobody knows how it was. */
  begin(engine: RunningEngine, unwell: (what: Unwell) => void): void {
    this.end(engine.id);
    const probes = engine.settings?.probes ?? [];
    if (probes.length === 0) return;
    const now = this.#parts.timing.now();
    const tries = probes.map((probe): Try => ({ probe, memory: unknownSince(now), callOff: () => {} }));
    const from_ms = this.#parts.steady();
    const started_ms = from_ms - Math.max(0, now - engine.since_ms);
    const watched: Watched = { engine, unwell, tries, started_ms, from_ms, frozen: engine.frozen };
    this.#watched.set(engine.id, watched);
    if (!watched.frozen) this.#beginTries(watched);
  }

  /** What is frozen says nothing, and is asked nothing. */
  freeze(id: string, frozen: boolean): void {
    const watched = this.#watched.get(id);
    if (!watched || watched.frozen === frozen) return;
    const now = this.#parts.timing.now();
    watched.frozen = frozen;
    watched.from_ms = this.#parts.steady();
    for (const one of watched.tries) {
      one.callOff();
      one.memory = unknownSince(now);
    }
    if (!frozen) this.#beginTries(watched);
  }

  end(id: string): void {
    for (const one of this.#watched.get(id)?.tries ?? []) one.callOff();
    this.#watched.delete(id);
  }

  close(): void {
    for (const id of this.#watched.keys()) this.end(id);
  }

  /** Undefined: nothing is watched of it. */
  facts(id: string): HealthFacts | undefined {
    const watched = this.#watched.get(id);
    if (!watched) return undefined;
    return {
      health: wellnessOf(watched.tries.map(({ memory }) => memory)),
      probes: watched.tries.map(({ probe, memory: { state, since_ms, tried_ms, last } }) => ({
        probe: probeName(probe),
        state,
        since_ms,
        ...(tried_ms === undefined ? {} : { tried_ms }),
        ...last,
      })),
    };
  }

  /** Not all at the same moment, when many engines are started together. */
  #beginTries(watched: Watched): void {
    const { pid } = watched.engine;
    for (const [at, one] of watched.tries.entries()) {
      const share = ((pid + at) % 16) / 16;
      this.#later(watched, one, Math.min(limits.engine_probe_first_ms, intervalOf(one.probe)) * share);
    }
  }

  #later(watched: Watched, one: Try, after_ms: number): void {
    one.callOff = this.#parts.timing.after(after_ms, () => void this.#try(watched, one));
  }

  async #try(watched: Watched, one: Try): Promise<void> {
    const { engine } = watched;
    const since = watched.from_ms;
    const probed = await this.#ask(watched, one.probe);
    if (this.#watched.get(engine.id) !== watched || watched.frozen || watched.from_ms !== since) return;
    const before = one.memory;
    const { timing, steady } = this.#parts;
    const start_ms = (one.probe.start_s ?? probeDefaults.start_s) * 1000;
    const at = { now_ms: timing.now(), starting: steady() - watched.started_ms < start_ms };
    if (probed) one.memory = afterProbe(one.probe, before, probed, at);
    if (one.memory.state !== before.state) this.#turned(watched, one, before);
    const usual = intervalOf(one.probe);
    const first = one.memory.state === 'unknown' && one.probe.kind !== 'command';
    this.#later(watched, one, first ? Math.min(limits.engine_probe_first_ms, usual) : usual);
  }

  /** Undefined: it is too early to say anything. */
  async #ask({ engine, from_ms }: Watched, probe: Probe): Promise<Probed | undefined> {
    const { prober, steady, beatOf } = this.#parts;
    if (probe.kind !== 'beat')
      return prober.probe(engine.id, probe, (probe.timeout_s ?? probeDefaults.timeout_s) * 1000);
    const beat = beatOf(engine.id);
    const silent_ms = steady() - Math.max(beat ?? 0, from_ms);
    const fresh = beat !== undefined && beat >= from_ms;
    if (silent_ms <= probe.within_s * 1000) return fresh ? { well: true } : undefined;
    const detail = `no heartbeat for ${Math.floor(silent_ms / 1000)} s`;
    return { well: false, why: fresh ? 'hung' : 'silent', detail };
  }

  #turned(watched: Watched, { probe, memory }: Try, before: ProbeMemory): void {
    const { id } = watched.engine;
    const name = probeName(probe);
    if (memory.state === 'good' && before.state === 'bad')
      this.#parts.tell(id, 'engine.well', { probe: name });
    if (memory.state !== 'bad' || !memory.last) return;
    const what: Unwell = { probe: name, ...memory.last };
    this.#parts.tell(id, 'engine.unwell', { ...what });
    if (probe.onBad !== 'tell') watched.unwell(what);
  }
}

function intervalOf(probe: Probe): number {
  switch (probe.kind) {
    case 'beat':
      // A beat that is missing is seen soon after its time; looking costs nothing.
      return Math.min(1000, probe.within_s * 250);
    case 'command':
      return (probe.every_s ?? probeDefaults.command_every_s) * 1000;
    case 'http':
    case 'tcp':
    case 'ask':
      return (probe.every_s ?? probeDefaults.every_s) * 1000;
  }
}
