import type { FirewallProgram, ProgramChain, ProgramMap, ProgramTable } from './firewall.js';

/** A program in nft's own words. Pure; used by who applies programs, by the file for boot and by `filters compile`. */
export const tableName = 'bmonitor';

/**
 * The connection mark: the upper 24 bits are ours, the lower 8 are left to others. Of ours, the upper 22 count epochs and
 * the lower two say what was stamped.
 */
const ourBits = 0xffff_ff00;
const otherBits = 0x0000_00ff;
const epochShift = 10;
const stamps = { full: 0x100, local: 0x200, answer: 0x300 } as const;

/** After this many the marks of all flows are cleared and counting starts again. */
export const epoch_max = 2 ** 22 - 1;

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16).padStart(8, '0')}`;
}

export function mark(kind: keyof typeof stamps, epoch: number): string {
  return hex((epoch << epochShift) | stamps[kind]);
}

export function epochOfMark(value: number): number {
  return value >>> epochShift;
}

export const markMask = hex(ourBits);

/** Which map of the kernel stands for a map of the program: a filled one is flipped to, never changed at large in place. */
export type SlotNames = (map: string) => string;

export function ruleText(rule: string, slots: SlotNames, epoch: number): string {
  return rule.replace(/@\{(\w+)\}|\$(full|local|answer|mask|keep)/gu, (_, map?: string, word?: string) => {
    if (map !== undefined) return `@${slots(map)}`;
    switch (word) {
      case 'full':
      case 'local':
      case 'answer':
        return mark(word, epoch);
      case 'mask':
        return markMask;
      case 'keep':
        return hex(otherBits);
      case undefined:
      default:
        throw new Error(`no such word in a rule: ${rule}`);
    }
  });
}

export function place(table: ProgramTable): string {
  return `${table.family} ${tableName}`;
}

export function chainDeclaration(table: ProgramTable, chain: ProgramChain): string {
  const { hook } = chain;
  const head = `add chain ${place(table)} ${chain.name}`;
  if (hook === undefined) return head;
  return `${head} { type ${hook.type} hook ${hook.hook} priority ${hook.priority}; policy drop; }`;
}

export function mapDeclaration(table: ProgramTable, map: ProgramMap, name: string): string {
  const type = `type ${map.key}${map.verdicts ? ' : verdict' : ''};`;
  const flags = `${map.ranges ? ' flags interval;' : ''}${map.counted ? ' counter;' : ''}`;
  return `add ${map.verdicts ? 'map' : 'set'} ${place(table)} ${name} { ${type}${flags} }`;
}

export function addElements(
  table: ProgramTable,
  name: string,
  elements: Iterable<readonly [key: string, verdict: string]>,
): string {
  const list = Array.from(elements, ([key, verdict]) => (verdict === '' ? key : `${key} : ${verdict}`));
  return `add element ${place(table)} ${name} { ${list.join(', ')} }`;
}

export function deleteElements(table: ProgramTable, name: string, keys: readonly string[]): string {
  return `delete element ${place(table)} ${name} { ${keys.join(', ')} }`;
}

export function chunks<T>(list: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, index) =>
    list.slice(index * size, (index + 1) * size),
  );
}

/** A line with a hundred thousand elements is slow to read for people and programs. */
const elementsPerLine = 1000;

/** The whole program as a file for `nft -f`, which replaces tables of ours and touches no others. */
export function wholeText(program: FirewallProgram, epoch: number, slots: SlotNames = (map) => map): string {
  const lines: string[] = [];
  for (const table of program.tables) {
    const at = place(table);
    lines.push(`add table ${at}`, `delete table ${at}`, `add table ${at}`);
    for (const counter of table.counters) lines.push(`add counter ${at} ${counter}`);
    for (const chain of table.chains) lines.push(chainDeclaration(table, chain));
    for (const map of table.maps) {
      const name = slots(map.name);
      lines.push(mapDeclaration(table, map, name));
      for (const part of chunks([...map.elements], elementsPerLine))
        lines.push(addElements(table, name, part));
    }
    for (const chain of table.chains)
      for (const rule of chain.rules)
        lines.push(`add rule ${at} ${chain.name} ${ruleText(rule, slots, epoch)}`);
  }
  return `${lines.join('\n')}\n`;
}
