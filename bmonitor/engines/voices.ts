import type { EngineSettings } from '../../protocol/engines.js';
import { limits } from '../../protocol/limits.js';
import type { EngineVoice } from '../ports/engines.js';

export interface VoiceFacts {
  /** Wall clock, of the last heartbeat. */
  readonly beat_ms?: number;
  /** The same by the steady clock. */
  readonly beatSteady_ms?: number;
  readonly error?: { readonly text: string; readonly at_ms: number; readonly count: number };
}

interface VoiceParts {
  readonly now: () => number;
  readonly steady: () => number;
  readonly settingsOf: (
    id: string,
  ) => { readonly name: string; readonly settings: EngineSettings } | undefined;
  readonly tell: (id: string, text: string, count: number) => void;
}

/** What engines say of themselves. They are believed about themselves, and about nothing else. */
export class Voices implements EngineVoice {
  readonly #parts: VoiceParts;
  readonly #facts = new Map<string, VoiceFacts>();
  readonly #told_ms = new Map<string, number>();

  constructor(parts: VoiceParts) {
    this.#parts = parts;
  }

  facts(id: string): VoiceFacts {
    return this.#facts.get(id) ?? {};
  }

  begin(id: string): void {
    this.#facts.delete(id);
  }

  beat(id: string): void {
    const { now, steady } = this.#parts;
    this.#facts.set(id, { ...this.facts(id), beat_ms: now(), beatSteady_ms: steady() });
  }

  /** The last one is shown with how many there were; events of an engine that errs all the time are thinned out. */
  error(id: string, text: string): void {
    const now = this.#parts.now();
    const count = (this.facts(id).error?.count ?? 0) + 1;
    this.#facts.set(id, { ...this.facts(id), error: { text, at_ms: now, count } });
    if (now - (this.#told_ms.get(id) ?? 0) < limits.engine_error_ms) return;
    this.#told_ms.set(id, now);
    this.#parts.tell(id, text.slice(0, 500), count);
  }

  /** What it was described with, less its variables, which it has in its environment. */
  config(id: string): Readonly<Record<string, unknown>> | undefined {
    const known = this.#parts.settingsOf(id);
    if (!known) return undefined;
    const { env: _has, ...settings } = known.settings;
    return { name: known.name, settings };
  }
}
