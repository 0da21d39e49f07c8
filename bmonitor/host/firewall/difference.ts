import type { ProgramMap } from '../../ports/firewall.js';

/** How the elements of a map differ from those that stand. */
export interface Difference {
  readonly removed: readonly string[];
  readonly added: readonly (readonly [key: string, verdict: string])[];
}

const nothing: Difference = { removed: [], added: [] };

export function difference(before: ReadonlyMap<string, string>, map: ProgramMap): Difference {
  const after = map.elements;
  if (before === after) return nothing;
  if (map.change?.from === before) return map.change;
  const removed: string[] = [];
  const added: [string, string][] = [];
  for (const [key, verdict] of before) if (after.get(key) !== verdict) removed.push(key);
  for (const [key, verdict] of after) if (before.get(key) !== verdict) added.push([key, verdict]);
  return { removed, added };
}

/** Deleting from a map of ranges takes a millisecond an element, filling a new one a fiftieth of that. */
const rangesDeletePerFill = 50;
const rangesInPlaceMax = 8;
/** All changes in place are one transaction, and one line of nft's. */
const inPlaceMax = 2000;

export function changesInPlace(map: ProgramMap, { removed, added }: Difference): boolean {
  if (removed.length + added.length > inPlaceMax) return false;
  if (!map.ranges || removed.length <= rangesInPlaceMax) return true;
  return removed.length * rangesDeletePerFill < map.elements.size;
}

/** Only more of what passes needs no new epoch: everything else may refuse what passed before. */
export function onlyLoosens(map: ProgramMap, { removed, added }: Difference): boolean {
  return removed.length === 0 && (!map.verdicts || added.every(([, verdict]) => verdict === 'return'));
}

export const isEmpty = ({ removed, added }: Difference): boolean => removed.length + added.length === 0;
