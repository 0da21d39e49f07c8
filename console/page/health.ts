/** What the probes of a machine found, in the words of its last sealed status; absent where the console may not know it. */
function subjectsOf(
  status: Readonly<Record<string, unknown>> | null,
): readonly (readonly [string, string])[] {
  const health = status?.['health'];
  if (typeof health !== 'object' || health === null) return [];
  return Object.entries(health).flatMap(([subject, state]) =>
    subject !== 'at' && typeof state === 'string' ? [[subject, state] as const] : [],
  );
}

/** What is bad, for the list: `disks bad, clock bad`. Empty when nothing is known to be. */
export function badHealth(status: Readonly<Record<string, unknown>> | null): string {
  return subjectsOf(status)
    .filter(([, state]) => state === 'bad')
    .map(([subject]) => `${subject} bad`)
    .join(', ');
}

/** All in a line: what is not known to be good stands by itself. */
export function healthLine(status: Readonly<Record<string, unknown>> | null): string {
  const all = subjectsOf(status);
  if (all.length === 0) return 'unknown: the node does not say';
  const others = all.filter(([, state]) => state !== 'good').map(([subject, state]) => `${subject} ${state}`);
  return others.length === 0 ? 'good' : others.join(', ');
}
