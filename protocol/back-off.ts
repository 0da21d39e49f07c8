/** Full jitter: many nodes that were lost at once do not come back at once. `chance` is in [0, 1). */
export function backOff(
  failures: number,
  chance: number,
  bounds: { first_ms: number; most_ms: number },
): number {
  const most = Math.min(bounds.most_ms, bounds.first_ms * 2 ** Math.min(failures, 30));
  return Math.round(bounds.first_ms / 2 + chance * most);
}
