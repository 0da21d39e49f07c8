import {
  addElements,
  chainDeclaration,
  chunks,
  deleteElements,
  mapDeclaration,
  place,
  ruleText,
  withMarks,
} from '../../ports/firewall-text.js';
import { changesInPlace, difference, isEmpty, onlyLoosens, type Difference } from './difference.js';
import type { FirewallProgram, ProgramChain, ProgramMap, ProgramTable } from '../../ports/firewall.js';

/**
 * How to get from what stands in the kernel to what should, without a moment open. Four steps, each one transaction or
 * a row of them:
 *
 * 1. fill: maps that differ by much are filled beside the old ones, under new names, where no packet looks yet.
 * 2. settle: maps of ranges that differ by little are changed in place.
 * 3. flip: exact keys leave, rules change, and the epoch is raised.
 * 4. remove: the old maps go, now that no rule names them.
 *
 * A transaction is not one moment: rules and hashes change when the kernel's generation does, each map of ranges a little
 * later, at the end of the commit. With a new epoch in the same transaction, a packet could be judged by the old ranges
 * and stamped with the new epoch, and its flow would live on. That is why settling comes before the flip.
 *
 * Base chains are made once and never again: making one anew lets packets through for a moment. Chains whose rules do
 * not change are not touched.
 */
export interface Standing {
  readonly program: FirewallProgram;
  readonly epoch: number;
  /** `inet bmonitor/l0_in4_exact` → its name in the kernel. */
  readonly slots: ReadonlyMap<string, string>;
  /** Slots are numbered; a number is used once. */
  readonly nextSlot: number;
}

/** What is known of the kernel when there is no standing: after a start, or when another program changed our tables. */
export interface Found {
  /** `inet bmonitor/name` of every map, set and regular chain that is there. */
  readonly maps: ReadonlyMap<string, 'map' | 'set'>;
  readonly chains: ReadonlySet<string>;
  readonly counters: ReadonlySet<string>;
  /** `inet bmonitor`. */
  readonly tables: ReadonlySet<string>;
}

export interface Transition {
  readonly fill: readonly string[];
  /** One transaction. */
  readonly settle: readonly string[];
  /** One transaction. */
  readonly flip: readonly string[];
  readonly remove: readonly string[];
  readonly next: Standing;
  readonly added: number;
  readonly removed: number;
  /** A map that counts was filled anew. */
  readonly recounted: boolean;
}

/** Each transaction on a map of ranges copies the map, so they are few and large. */
const elementsPerTransaction = 10_000;

export function id(table: ProgramTable, name: string): string {
  return `${place(table)}/${name}`;
}

class Steps {
  readonly fill: string[] = [];
  readonly settle: string[] = [];
  readonly flip: string[] = [];
  readonly remove: string[] = [];
  readonly slots = new Map<string, string>();
  added = 0;
  removed = 0;
  tightens = false;
  recounted = false;
  /** Sets of marks, which stay and follow the epoch. */
  readonly marks: { readonly table: ProgramTable; readonly map: ProgramMap; readonly slot: string }[] = [];
  #nextSlot: number;

  constructor(nextSlot: number) {
    this.#nextSlot = nextSlot;
  }

  get nextSlot(): number {
    return this.#nextSlot;
  }

  fillNew(table: ProgramTable, map: ProgramMap): void {
    const name = `${map.name}_s${this.#nextSlot++}`;
    this.slots.set(id(table, map.name), name);
    this.fill.push(mapDeclaration(table, map, name));
    for (const part of chunks([...map.elements], elementsPerTransaction))
      this.fill.push(addElements(table, name, part));
    this.added += map.elements.size;
    this.recounted ||= map.counted;
  }

  inPlace(table: ProgramTable, map: ProgramMap, slot: string, change: Difference): void {
    this.slots.set(id(table, map.name), slot);
    if (map.marks === true) this.marks.push({ table, map, slot });
    const remove = (keys: readonly string[]): readonly string[] =>
      keys.length === 0 ? [] : [deleteElements(table, slot, keys)];
    const add = change.added.length === 0 ? [] : [addElements(table, slot, change.added)];
    if (map.ranges) {
      this.settle.push(...remove(change.removed), ...add);
    } else if (map.together === undefined || add.length === 0) {
      this.flip.push(...remove(change.removed), ...add);
    } else {
      // Exact keys are looked for first: what moves to them from a range is there before it leaves the range, and what
      // moves from them to a range leaves with the flip, when it is in the range.
      const changed = new Set(change.added.map(([key]) => key));
      this.fill.push([...remove(change.removed.filter((key) => changed.has(key))), ...add].join('; '));
      this.flip.push(...remove(change.removed.filter((key) => !changed.has(key))));
    }
    this.added += change.added.length;
    this.removed += change.removed.length;
  }
}

interface MapChange {
  readonly table: ProgramTable;
  readonly map: ProgramMap;
  readonly old: { readonly slot: string; readonly change: Difference } | undefined;
}

function mapChange(table: ProgramTable, map: ProgramMap, before: Standing | undefined): MapChange {
  const old = tableOf(before?.program, table)?.maps.find(({ name }) => name === map.name);
  const slot = before?.slots.get(id(table, map.name));
  if (old === undefined || slot === undefined) return { table, map, old: undefined };
  return { table, map, old: { slot, change: difference(old.elements, map) } };
}

/**
 * Rules are taken from one generation for the whole way of a packet, elements from the one that holds when they are
 * looked up. So maps that a packet sees in turn are changed in place only where that cannot be noticed: those of one
 * word only, and among them what is exact comes before what it was taken out of. Where a map is new, the others of its
 * word are new too: who still goes by the old rules would find what moved there nowhere.
 */
function mapSteps(steps: Steps, changes: readonly MapChange[]): void {
  const touched = changes.filter(({ old }) => old !== undefined && !isEmpty(old.change));
  const words = new Set(touched.flatMap(({ map }) => (map.together === undefined ? [] : [map.together])));
  const slotted = changes.some(
    ({ map, old }) => map.together !== undefined && (old === undefined || !changesInPlace(map, old.change)),
  );
  const allAnew = words.size > 1 || slotted;
  for (const { table, map, old } of changes) {
    if (old === undefined) {
      steps.fillNew(table, map);
      continue;
    }
    const { slot, change } = old;
    if (!onlyLoosens(map, change)) steps.tightens = true;
    const anew = map.together === undefined ? !changesInPlace(map, change) : allAnew;
    if (isEmpty(change) || !anew) {
      steps.inPlace(table, map, slot, change);
      continue;
    }
    steps.fillNew(table, map);
    steps.removed += change.removed.length;
    steps.remove.push(`delete ${map.verdicts ? 'map' : 'set'} ${place(table)} ${slot}`);
  }
}

function tableOf(program: FirewallProgram | undefined, like: ProgramTable): ProgramTable | undefined {
  return program?.tables.find((table) => place(table) === place(like));
}

function rulesOf(
  table: ProgramTable,
  chain: { readonly rules: readonly string[] },
  slots: ReadonlyMap<string, string>,
  epoch: number,
): readonly string[] {
  const slotOf = (map: string): string => {
    const name = slots.get(id(table, map));
    if (name === undefined) throw new Error(`a rule names a map that the program does not have: ${map}`);
    return name;
  };
  return chain.rules.map((rule) => ruleText(rule, slotOf, epoch));
}

function declareChains(steps: Steps, table: ProgramTable, before: Standing | undefined): void {
  const old = tableOf(before?.program, table);
  if (old === undefined)
    steps.fill.push(`add table ${place(table)}${table.latch === true ? ' { flags owner; }' : ''}`);
  for (const counter of table.counters)
    if (old?.counters.includes(counter) !== true) steps.fill.push(`add counter ${place(table)} ${counter}`);
  const known = new Set(old?.chains.map(({ name }) => name));
  // A new base chain gets its hook together with its rules: until then it would drop everything.
  for (const chain of table.chains)
    if (chain.hook === undefined && !known.has(chain.name)) steps.fill.push(chainDeclaration(table, chain));
}

const namesEpoch = /\$(?:full|local|answer)\b/u;

/** Most chains have the same rules as before, and name neither the epoch nor a map that moved: their text need not be made. */
function isUntouched(
  table: ProgramTable,
  [old, chain]: readonly [ProgramChain, ProgramChain],
  {
    before,
    moved,
    epoch,
  }: { readonly before: Standing; readonly moved: ReadonlySet<string>; readonly epoch: number },
): boolean {
  if (old.rules.length !== chain.rules.length) return false;
  return chain.rules.every((rule, at) => {
    if (rule !== old.rules[at] || (epoch !== before.epoch && namesEpoch.test(rule))) return false;
    if (moved.size === 0 || !rule.includes('@{')) return true;
    return [...rule.matchAll(/@\{(\w+)\}/gu)].every(([, map = '']) => !moved.has(id(table, map)));
  });
}

/** A packet that looks in between finds the old mark or the new one, and never both or neither. */
function moveMarks(steps: Steps, from: number, to: number): void {
  if (from === to) return;
  for (const { table, map, slot } of steps.marks) {
    const keys = [...map.elements.keys()];
    const at = (epoch: number): readonly string[] => keys.map((key) => withMarks(key, epoch));
    steps.flip.push(deleteElements(table, slot, at(from)));
    steps.flip.push(
      addElements(
        table,
        slot,
        at(to).map((key) => [key, '']),
      ),
    );
  }
}

function movedMaps(steps: Steps, before: Standing): ReadonlySet<string> {
  return new Set([...steps.slots].flatMap(([name, slot]) => (before.slots.get(name) === slot ? [] : [name])));
}

/** The latch lets a new epoch through before packets carry it, and the old one until none does any more. */
function refillLate(steps: Steps, table: ProgramTable, chain: ProgramChain, from: Epochs): void {
  const fill = (epoch: number): readonly string[] => [
    `flush chain ${place(table)} ${chain.name}`,
    ...rulesOf(table, chain, steps.slots, epoch).map(
      (rule) => `add rule ${place(table)} ${chain.name} ${rule}`,
    ),
  ];
  if (from.tableIsNew) steps.flip.push(...fill(0));
  steps.remove.push(...fill(from.epoch));
}

interface Epochs {
  readonly epoch: number;
  readonly tableIsNew: boolean;
}

function refillChains(
  steps: Steps,
  table: ProgramTable,
  before: Standing | undefined,
  { epoch, tableIsNew }: Epochs,
): void {
  const old = tableOf(before?.program, table);
  const oldChains = new Map(old?.chains.map((chain) => [chain.name, chain] as const));
  const moved = before === undefined ? new Set<string>() : movedMaps(steps, before);
  for (const chain of table.chains) {
    const was = oldChains.get(chain.name);
    if (
      before !== undefined &&
      was !== undefined &&
      isUntouched(table, [was, chain], { before, moved, epoch })
    )
      continue;
    if (chain.late === true) {
      refillLate(steps, table, chain, { epoch, tableIsNew });
      continue;
    }
    if (was === undefined && chain.hook !== undefined) steps.flip.push(chainDeclaration(table, chain));
    steps.flip.push(`flush chain ${place(table)} ${chain.name}`);
    for (const rule of rulesOf(table, chain, steps.slots, epoch))
      steps.flip.push(`add rule ${place(table)} ${chain.name} ${rule}`);
  }
}

/** Does any rule differ in more than the epoch and the names of slots? */
function rulesDiffer(before: Standing, after: FirewallProgram): boolean {
  return after.tables.some((table) => {
    const old = new Map(tableOf(before.program, table)?.chains.map((c) => [c.name, c.rules]));
    return table.chains.some(({ name, rules }) => {
      const had = old.get(name);
      return had !== undefined && had.join('\n') !== rules.join('\n');
    });
  });
}

function removeGone(steps: Steps, before: Standing, after: FirewallProgram): void {
  for (const old of before.program.tables) {
    const table = tableOf(after, old);
    const chains = new Set(table?.chains.map(({ name }) => name));
    const maps = new Set(table?.maps.map(({ name }) => name));
    const counters = new Set(table?.counters);
    const goneMaps = old.maps.filter(({ name }) => !maps.has(name));
    const goneChains = old.chains.filter(({ name }) => !chains.has(name));
    // Chains and maps name each other, so all are emptied before any is deleted.
    for (const { name } of goneChains) steps.remove.push(`flush chain ${place(old)} ${name}`);
    for (const map of goneMaps) {
      const slot = before.slots.get(id(old, map.name));
      if (slot !== undefined)
        steps.remove.push(`delete ${map.verdicts ? 'map' : 'set'} ${place(old)} ${slot}`);
    }
    for (const { name } of goneChains) steps.remove.push(`delete chain ${place(old)} ${name}`);
    for (const counter of old.counters)
      if (!counters.has(counter)) steps.remove.push(`delete counter ${place(old)} ${counter}`);
  }
}

export function transition(before: Standing, program: FirewallProgram): Transition {
  const steps = new Steps(before.nextSlot);
  for (const table of program.tables) {
    declareChains(steps, table, before);
  }
  mapSteps(
    steps,
    program.tables.flatMap((table) => table.maps.map((map) => mapChange(table, map, before))),
  );
  const epoch = steps.tightens || rulesDiffer(before, program) ? before.epoch + 1 : before.epoch;
  moveMarks(steps, before.epoch, epoch);
  for (const table of program.tables)
    refillChains(steps, table, before, { epoch, tableIsNew: tableOf(before.program, table) === undefined });
  removeGone(steps, before, program);
  return finish(steps, program, epoch);
}

/** From a kernel of which only names are known: everything is filled anew, and what is left over is removed. */
export function rebuild(
  found: Found,
  program: FirewallProgram,
  from: { readonly epoch: number; readonly nextSlot: number },
): Transition {
  const steps = new Steps(from.nextSlot);
  const epoch = from.epoch + 1;
  for (const table of program.tables) {
    declareChains(steps, table, undefined);
    for (const map of table.maps) steps.fillNew(table, map);
    refillChains(steps, table, undefined, { epoch, tableIsNew: !found.tables.has(place(table)) });
  }
  const chains = new Set(
    program.tables.flatMap((table) => table.chains.map((chain) => id(table, chain.name))),
  );
  const counters = new Set(program.tables.flatMap((table) => table.counters.map((name) => id(table, name))));
  const at = (name: string): string => name.replace('/', ' ');
  const goneChains = [...found.chains].filter((name) => !chains.has(name));
  for (const name of goneChains) steps.remove.push(`flush chain ${at(name)}`);
  for (const [name, kind] of found.maps) steps.remove.push(`delete ${kind} ${at(name)}`);
  for (const name of goneChains) steps.remove.push(`delete chain ${at(name)}`);
  for (const name of found.counters) if (!counters.has(name)) steps.remove.push(`delete counter ${at(name)}`);
  return finish(steps, program, epoch);
}

function finish(steps: Steps, program: FirewallProgram, epoch: number): Transition {
  const { settle, flip, remove, slots, nextSlot, added, removed, recounted } = steps;
  // Sets of marks are filled before it is known which epoch it will be.
  const fill = steps.fill.map((line) => (line.includes('$') ? withMarks(line, epoch) : line));
  return { fill, settle, flip, remove, added, removed, recounted, next: { program, epoch, slots, nextSlot } };
}
