import { addressBits, addressMax, formatAddress } from '../address.js';
import type { ElementChange, ProgramChain, ProgramMap } from '../../ports/firewall.js';
import type { Box, BoxChange, LevelBoxes } from '../boxes.js';
import { directions, families, type Direction, type Family, type Otherwise } from '../model.js';
import { LayeredMap } from './layered.js';
import { keysOf, type MapKind } from './elements.js';
import {
  lengthsOf,
  noPrefixes,
  planeOf,
  type PlaneName,
  type PrefixChoices,
  type PrefixKind,
} from './prefixes.js';

/**
 * One level in the kernel: maps from (peer, protocol, port) to what the level says, and chains that look there. Each
 * element's verdict is `return` where the level passes the packet (the next level is asked then), `continue` where it does
 * not (the rest of the rule leads to the level's refusal), or a jump to the chain that goes on for packets of one way only.
 */
export function mapName(level: number, direction: Direction, family: Family, kind: MapKind): string {
  return kind === 'groups' ? `l${level}_groups${family}` : `l${level}_${direction}${family}_${kind}`;
}

const keyTypes = { 4: 'ipv4_addr', 6: 'ipv6_addr' } as const;
const addressWord = { 4: 'ip', 6: 'ip6' } as const;

export const refuseChain = (level: number): string => `refuse_filter_${level}`;
const oneChain = (level: number, direction: Direction, family: Family): string =>
  `one_${level}_${direction}${family}`;

export type Way = 'start' | 'reply';
export const levelChain = (level: number, direction: Direction, family: Family, way: Way): string =>
  `l${level}_${direction}${family}_${way}`;
export const groupChain = (level: number, family: Family): string => `l${level}_groups${family}`;

/**
 * The rule goes on, and what stands behind the look-up in it is the refusal. An element that leads to a chain by itself would have the kernel walk
 * through all elements again, in search of a circle, whenever one comes.
 */
const denied = 'continue';

function verdictOf(level: number, otherwise: Otherwise, box: Box): string {
  switch (box.verdict) {
    case 'allow':
      return 'return';
    case 'deny':
      return denied;
    case 'oneway':
      return otherwise === 'inherit' ? 'return' : `goto ${oneChain(level, box.direction, box.family)}`;
  }
}

export type LevelElements = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** In the groups' map a one-way allow passes like any other: what goes to a group is one-way by nature. */
function entry(level: number, otherwise: Otherwise, box: Box, kind: MapKind): string {
  return kind === 'groups' && box.verdict === 'oneway' ? 'return' : verdictOf(level, otherwise, box);
}

export function levelElements(level: number, boxes: LevelBoxes, choices: PrefixChoices): LevelElements {
  const maps = new Map<string, Map<string, string>>();
  for (const box of boxes.boxes) {
    for (const { kind, key } of keysOf(box, choices.get(planeOf(box)))) {
      const name = mapName(level, box.direction, box.family, kind);
      const map = maps.get(name) ?? new Map<string, string>();
      maps.set(name, map.set(key, entry(level, boxes.otherwise, box, kind)));
    }
  }
  return maps;
}

export interface ChangedElements {
  readonly elements: LevelElements;
  readonly changes: ReadonlyMap<string, ElementChange>;
}

/** The same from a change, without going through all boxes again. */
export function changeElements(
  level: number,
  before: LevelElements,
  { otherwise, choices }: { readonly otherwise: Otherwise; readonly choices: PrefixChoices },
  change: BoxChange,
): ChangedElements {
  const removed = new Map<string, string[]>();
  const added = new Map<string, [string, string][]>();
  for (const box of change.removed)
    for (const { kind, key } of keysOf(box, choices.get(planeOf(box)))) {
      const name = mapName(level, box.direction, box.family, kind);
      removed.set(name, [...(removed.get(name) ?? []), key]);
    }
  for (const box of change.added)
    for (const { kind, key } of keysOf(box, choices.get(planeOf(box)))) {
      const name = mapName(level, box.direction, box.family, kind);
      added.set(name, [...(added.get(name) ?? []), [key, entry(level, otherwise, box, kind)]]);
    }
  const elements = new Map(before);
  const changes = new Map<string, ElementChange>();
  for (const name of new Set([...removed.keys(), ...added.keys()])) {
    const from = before.get(name) ?? new Map<string, string>();
    const to = LayeredMap.of(from, removed.get(name) ?? [], added.get(name) ?? []);
    elements.set(name, to);
    changes.set(name, { from, removed: removed.get(name) ?? [], added: added.get(name) ?? [] });
  }
  return { elements, changes };
}

const none: ReadonlyMap<string, string> = new Map();

function prefixesOf(choices: PrefixChoices, direction: Direction, family: Family): readonly PrefixKind[] {
  const plane: PlaneName = `${direction}${family}`;
  return (choices.get(plane) ?? noPrefixes).kinds;
}

/** In the order in which a packet is looked for. */
function kindsOf(choices: PrefixChoices, direction: Direction, family: Family): readonly MapKind[] {
  return ['exact', ...prefixesOf(choices, direction, family), 'ranges', 'whole'];
}

function serviceTypes(kind: MapKind): string {
  if (kind === 'whole' || kind.endsWith('_none')) return ' . inet_proto';
  return kind.endsWith('_any') ? '' : ' . inet_proto . inet_service';
}

export function levelMaps(
  level: number,
  elements: LevelElements,
  choices: PrefixChoices,
  changes: ReadonlyMap<string, ElementChange> = new Map(),
): readonly ProgramMap[] {
  const make = (direction: Direction, family: Family, kind: MapKind): ProgramMap => {
    const name = mapName(level, direction, family, kind);
    const change = changes.get(name);
    return {
      name,
      key: `${keyTypes[family]}${serviceTypes(kind)}`,
      verdicts: true,
      ranges: kind === 'ranges' || kind === 'whole' || kind === 'groups',
      counted: true,
      together: `level ${level}`,
      elements: elements.get(name) ?? none,
      ...(change === undefined ? {} : { change }),
    };
  };
  return families.flatMap((family) => [
    ...directions.flatMap((direction) =>
      kindsOf(choices, direction, family).map((kind) => make(direction, family, kind)),
    ),
    make('in', family, 'groups'),
  ]);
}

/** Where in a packet the peer stands, and the service's port, by direction of the flow and of the packet. */
const peerField = {
  start: { in: 'saddr', out: 'daddr' },
  reply: { in: 'daddr', out: 'saddr' },
} as const;
const portField = { start: 'dport', reply: 'sport' } as const;

export function peerKey(direction: Direction, family: Family, way: Way): string {
  return `${addressWord[family]} ${peerField[way][direction]}`;
}

export function fullKey(direction: Direction, family: Family, way: Way): string {
  return `${peerKey(direction, family, way)} . meta l4proto . th ${portField[way]}`;
}

/** The first bits of an address, as a mask in words. */
function addressMask(family: Family, length: number): string {
  const bits = addressBits[family];
  return formatAddress(family, (addressMax[family] >> BigInt(bits - length)) << BigInt(bits - length));
}

function prefixLookup(kind: PrefixKind, [direction, family, way]: readonly [Direction, Family, Way]): string {
  const { peer, port } = lengthsOf(kind);
  const masked = peer === addressBits[family] ? '' : ` & ${addressMask(family, peer)}`;
  const address = `${peerKey(direction, family, way)}${masked}`;
  if (port === 'any') return address;
  if (port === 'none') return `${address} . meta l4proto`;
  const bits = port === 16 ? '' : ` & ${(0xffff << (16 - port)) & 0xffff}`;
  return `${address} . meta l4proto . th ${portField[way]}${bits}`;
}

function lookups(
  level: number,
  choices: PrefixChoices,
  plane: readonly [Direction, Family, Way],
): readonly string[] {
  const [direction, family, way] = plane;
  const map = (kind: MapKind): string => `@{${mapName(level, direction, family, kind)}}`;
  const key = fullKey(direction, family, way);
  const look = (what: string, kind: MapKind): string =>
    `${what} vmap ${map(kind)} goto ${refuseChain(level)}`;
  return [
    look(key, 'exact'),
    ...prefixesOf(choices, direction, family).map((kind) => look(prefixLookup(kind, plane), kind)),
    look(key, 'ranges'),
    look(`${peerKey(direction, family, way)} . meta l4proto`, 'whole'),
  ];
}

function ending(level: number, otherwise: Otherwise): readonly string[] {
  return otherwise === 'inherit' ? [] : [`goto ${refuseChain(level)}`];
}

/** The chains of one level; `crossing` is what a flow between two addresses of the node has still to pass. */
export function levelChains(
  level: number,
  count: number,
  { boxes, choices }: { readonly boxes: LevelBoxes; readonly choices: PrefixChoices },
  crossing: (family: Family) => readonly string[],
): readonly ProgramChain[] {
  const { otherwise } = boxes;
  const below = Array.from({ length: count - level - 1 }, (_, index) => level + 1 + index);
  const one = (direction: Direction, family: Family): ProgramChain => ({
    name: oneChain(level, direction, family),
    rules: [
      `ct direction reply goto ${refuseChain(level)}`,
      ...below.map((next) => `jump ${levelChain(next, direction, family, 'start')}`),
      ...(direction === 'out' ? crossing(family) : []),
      'goto pass_once',
    ],
  });
  const look = (direction: Direction, family: Family, way: Way): ProgramChain => ({
    name: levelChain(level, direction, family, way),
    rules: [...lookups(level, choices, [direction, family, way]), ...ending(level, otherwise)],
  });
  const group = (family: Family): ProgramChain => ({
    name: groupChain(level, family),
    rules: [
      `${addressWord[family]} daddr . meta l4proto . th dport vmap @{${mapName(level, 'in', family, 'groups')}} goto ${refuseChain(level)}`,
      ...ending(level, otherwise),
    ],
  });
  return families.flatMap((family) => [
    ...directions.flatMap((direction) => [
      one(direction, family),
      look(direction, family, 'start'),
      look(direction, family, 'reply'),
    ]),
    group(family),
  ]);
}
