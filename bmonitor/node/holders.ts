import type { Level, NodeState } from './state.js';

/** Leases, their terms and status, and who speaks for them: a copy of the disk from before must not bring them back. */
export function holdersChanged(before: NodeState, after: NodeState): boolean {
  return holders(before) !== holders(after);
}

function holders(state: NodeState): string {
  return JSON.stringify([
    state.approval ?? null,
    state.levels.map((level: Level) => [
      level.lease,
      level.status,
      level.term ?? null,
      level.rights,
      level.roster.map((entry) => [entry.id, entry.role, entry.nodes ?? null]),
      level.labels ?? null,
    ]),
  ]);
}
