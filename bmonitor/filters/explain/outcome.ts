import type { Judgement } from './judge.js';

export type PacketVerdict = 'pass' | 'drop' | 'ambiguous' | 'ignored';

export interface Outcome {
  readonly verdict: PacketVerdict;
  /** Who decides; null where no filter does. */
  readonly level: number | null;
  readonly filter: number | null;
  readonly reason: string;
}

export function outcome(verdict: PacketVerdict, reason: string): Outcome {
  return { verdict, level: null, filter: null, reason };
}

/** As the judgement says; `prefix` tells what the packet is. */
export function judged(judgement: Judgement, prefix = ''): Outcome {
  const { passes, level, filter, reason } = judgement;
  return { verdict: passes ? 'pass' : 'drop', level, filter, reason: prefix + reason };
}
