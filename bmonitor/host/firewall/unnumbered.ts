import { keptWithMark, mark } from '../../ports/firewall-text.js';
import type { FirewallProgram } from '../../ports/firewall.js';
import type { Standing } from './transition.js';

/**
 * A listing of what stands, with neutral words for the numbers that every change counts on: slots of maps, and marks of the epoch. Two
 * listings of one program are then the same text, so that what is expected is loaded and listed once for all changes of elements.
 * A name or a mark that is not of this standing stays as it is, and differs.
 */
export function unnumbered(text: string, { slots, epoch }: Pick<Standing, 'slots' | 'epoch'>): string {
  const present = new Set(slots.values());
  const marks = new Map(
    (['full', 'local', 'answer'] as const).flatMap((kind) => [
      [mark(kind, epoch), `$${kind}`] as const,
      [keptWithMark(kind, epoch), `$keep|$${kind}`] as const,
    ]),
  );
  return text
    .replace(/\b(\w+)_s\d+\b/gu, (name, map: string) => (present.has(name) ? `${map}_s*` : name))
    .replace(/\b0x[0-9a-f]{8}\b/gu, (hex) => marks.get(hex) ?? hex);
}

/** What a listing without elements depends on, but for those numbers. */
export function rulesKey(program: FirewallProgram): string {
  return program.tables
    .flatMap((table) => [
      `${table.family} ${String(table.latch)}`,
      ...table.counters,
      ...table.maps.map((map) => `${map.name} ${map.key} ${map.verdicts} ${map.ranges} ${map.counted}`),
      ...table.chains.flatMap(({ name, hook, rules }) => [`${name} ${JSON.stringify(hook ?? '')}`, ...rules]),
    ])
    .join('\n');
}
