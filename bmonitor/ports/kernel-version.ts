/**
 * In older kernels a look-up in a map could miss an entry while a transaction was going on (kernel commits c4eaca2e1052,
 * a60f7bf4a152 and b2f742c846ca): an allowed packet could be dropped, and where a level inherits, a denied one pass.
 * They came with 6.17, and into two stable series with one release each, of September 2025.
 */
const fixed = [6, 17] as const;
/** The patch from which on a stable series has the fixes too. */
const fixedStable: ReadonlyMap<string, number> = new Map([
  ['6.12', 48],
  ['6.16', 8],
]);

export function missesDuringChanges(release: string): boolean {
  const [, major, minor, patch] = /^(\d+)\.(\d+)(?:\.(\d+))?/u.exec(release) ?? [];
  if (major === undefined || minor === undefined) return true;
  const [a, b, c] = [Number(major), Number(minor), Number(patch ?? 0)];
  const stable = fixedStable.get(`${a}.${b}`);
  if (stable !== undefined) return c < stable;
  return a === fixed[0] ? b < fixed[1] : a < fixed[0];
}

const mendedIn = `mended in ${[
  ...[...fixedStable].map(([series, patch]) => `${series}.${patch}`),
  fixed.join('.'),
].join(', ')} and newer of each`;

export function oldKernelWarning(release: string): string {
  return `kernel ${release}: while filters change, a packet may be judged as if an entry were not there: one that is allowed may be dropped, and one that a level denies which otherwise inherits may pass; ${mendedIn}`;
}
