/**
 * In older kernels a look-up in a map could miss an entry while a transaction was going on (kernel commits c4eaca2e1052,
 * a60f7bf4a152 and b2f742c846ca): an allowed packet could be dropped, and where a level inherits, a denied one pass.
 */
const fixed = [6, 17] as const;
/** The stable series that has the fixes too, from this patch on. */
const fixedStable = { series: [6, 16], patch: 4 } as const;

export function missesDuringChanges(release: string): boolean {
  const [, major, minor, patch] = /^(\d+)\.(\d+)(?:\.(\d+))?/u.exec(release) ?? [];
  if (major === undefined || minor === undefined) return true;
  const [a, b, c] = [Number(major), Number(minor), Number(patch ?? 0)];
  if (a !== fixed[0]) return a < fixed[0];
  if (b === fixedStable.series[1]) return c < fixedStable.patch;
  return b < fixed[1];
}
