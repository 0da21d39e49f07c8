import type { EngineSettings } from '../../protocol/engines.js';

/** What a level wants of an engine. How it is, is known to the supervision and changes without commands. */
export interface Engine {
  readonly id: string;
  /** Chooses its range of ids, its interface and its address; no two engines of a node have the same. */
  readonly slot: number;
  readonly wanted: 'running' | 'paused' | 'stopped';
  /** Rises with each command that wants what runs ended: what runs of an earlier round is ended, and started again if wanted. */
  readonly round: number;
  /** How long what runs of an earlier round is given to end. */
  readonly grace_s: number;
  /** Rises when what it had written is to be destroyed. */
  readonly layer: number;
  readonly revision: number;
  /** Rests under the data key. Absent while that is locked: then nobody can start it. */
  readonly described?: Description;
}

export interface Description {
  readonly name: string;
  readonly settings: EngineSettings;
}

/** The engine as it stands in the root. */
export function undescribed(engine: Engine): Engine {
  const { described: _inItsOwnPlace, ...rest } = engine;
  return rest;
}
