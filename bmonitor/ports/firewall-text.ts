import type { FirewallProgram, ProgramChain, ProgramMap, ProgramTable } from './firewall.js';

/** A program in nft's own words. Pure; used by who applies programs, by the file for boot and by `filters compile`. */
export const tableName = 'bmonitor';
/** The latch: what stays closed when another program flushes all tables. */
export const latchName = 'bmonitor_latch';

/**
 * The connection mark: the upper 24 bits are ours, the lower 8 are left to others. Of ours, the upper two say what was
 * stamped and the lower 22 count epochs, so that "full, in this epoch or a later one" is one comparison.
 */
const ourBits = 0xffff_ff00;
const otherBits = 0x0000_00ff;
const epochShift = 8;
const stamps = { full: 0xc000_0000, local: 0x8000_0000, answer: 0x4000_0000 } as const;
/** The one bit of a packet's own mark that is ours: the filters let this packet out, and stamped no flow. */
const packetBit = 0x0080_0000;

/** After this many the marks of all flows are cleared and counting starts again. */
export const epoch_max = 2 ** 22 - 1;

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16).padStart(8, '0')}`;
}

export function mark(kind: keyof typeof stamps, epoch: number): string {
  return hex((epoch << epochShift) | stamps[kind]);
}

/** How nft lists what is kept of a mark when another is put on: with the bits that are set anyway. */
export function keptWithMark(kind: keyof typeof stamps, epoch: number): string {
  return hex((epoch << epochShift) | stamps[kind] | otherBits);
}

export function epochOfMark(value: number): number {
  return (value >>> epochShift) & epoch_max;
}

export const markMask = hex(ourBits);

/** In one transaction the old ones leave and the new ones come. */
const marks_max = 8;

/** Which map of the kernel stands for a map of the program: a filled one is flipped to, never changed at large in place. */
export type SlotNames = (map: string) => string;

/** The words that every epoch has marks of its own for. */
export function withMarks(text: string, epoch: number): string {
  return text.replace(/\$(full|local|answer)\b/gu, (_, kind: keyof typeof stamps) => mark(kind, epoch));
}

export function ruleText(rule: string, slots: SlotNames, epoch: number): string {
  return withMarks(rule, epoch).replace(
    /@\{(\w+)\}|\$(leastFull|leastLocal|mask|keep|passed)/gu,
    (_, map?: string, word?: string) => {
      if (map !== undefined) return `@${slots(map)}`;
      switch (word) {
        case 'leastFull':
          return mark('full', 0);
        case 'leastLocal':
          return mark('local', 0);
        case 'mask':
          return markMask;
        case 'keep':
          return hex(otherBits);
        case 'passed':
          return hex(packetBit);
        case undefined:
        default:
          throw new Error(`no such word in a rule: ${rule}`);
      }
    },
  );
}

export function place(table: ProgramTable): string {
  return `${table.family} ${table.latch === true ? latchName : tableName}`;
}

export function chainDeclaration(table: ProgramTable, chain: ProgramChain): string {
  const { hook } = chain;
  const head = `add chain ${place(table)} ${chain.name}`;
  if (hook === undefined) return head;
  // The latch is put beside tables that stand: until its rules are there, it must not drop what those let through.
  const policy = table.latch === true ? 'accept' : 'drop';
  return `${head} { type ${hook.type} hook ${hook.hook} priority ${hook.priority}; policy ${policy}; }`;
}

export function mapDeclaration(table: ProgramTable, map: ProgramMap, name: string): string {
  const key = map.key.startsWith('typeof ') ? map.key : `type ${map.key}`;
  const type = `${key}${map.verdicts ? ' : verdict' : ''};`;
  const flags = `${map.ranges ? ' flags interval;' : ''}${map.counted ? ' counter;' : ''}`;
  // Where the kernel knows how few there will be, it takes the quickest of its hashes.
  const size = map.marks === true ? ` size ${marks_max};` : '';
  return `add ${map.verdicts ? 'map' : 'set'} ${place(table)} ${name} { ${type}${flags}${size} }`;
}

export function addElements(
  table: ProgramTable,
  name: string,
  elements: Iterable<readonly [key: string, verdict: string]>,
): string {
  const list = Array.from(elements, ([key, verdict]) => (verdict === '' ? key : `${key} : ${verdict}`));
  return `add element ${place(table)} ${name} { ${list.join(', ')} }`;
}

/** Only sets of marks have words in them. */
export function elementsAt(line: string, { marks }: ProgramMap, epoch: number): string {
  return marks === true ? withMarks(line, epoch) : line;
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

/** A program without its latch, which only a process that lives on can hold. */
export function withoutLatch(program: FirewallProgram): FirewallProgram {
  return { tables: program.tables.filter((table) => table.latch !== true) };
}

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
        lines.push(elementsAt(addElements(table, name, part), map, epoch));
    }
    for (const chain of table.chains)
      for (const rule of chain.rules)
        lines.push(`add rule ${at} ${chain.name} ${ruleText(rule, slots, epoch)}`);
  }
  return `${lines.join('\n')}\n`;
}
