import type { ElementChange, FirewallProgram, ProgramMap, ProgramTable } from '../../ports/firewall.js';
import type { BoxChange, LevelBoxes } from '../boxes.js';
import { families, type Family, type PeerRange } from '../model.js';
import { addressText, serviceKeys } from './elements.js';
import { changeElements, levelChains, levelElements, levelMaps, type LevelElements } from './levels.js';
import { latchChains } from './latch.js';
import type { NodePlan } from './plan.js';
import { choosePrefixes, type PrefixChoices } from './prefixes.js';
import { refusalChains, refusalCounters } from './refusals.js';
import {
  arpChains,
  bridgeChains,
  claimedAddress,
  crossing,
  knownSets,
  skeletonChains,
  type SkeletonChoice,
} from './skeleton.js';

/** From a plan to a program: the one place where what a node should enforce becomes what its kernel is told. */
const keyTypes = { 4: 'ipv4_addr', 6: 'ipv6_addr' } as const;

function set(name: string, key: string, keys: Iterable<string>, ranges = false): ProgramMap {
  const elements = new Map(Array.from(keys, (text) => [text, ''] as const));
  return { name, key, verdicts: false, ranges, counted: false, elements };
}

const ofFamily = (ranges: readonly PeerRange[], family: Family): readonly PeerRange[] =>
  ranges.filter((range) => range.family === family);

/** The name goes into the kernel's language between quotes. */
const interfaceName = /^[\w.:@-]{1,15}$/u;

function quoted(name: string): string {
  if (!interfaceName.test(name)) throw new Error(`not a name for an engine's interface: ${name}`);
  return `"${name}"`;
}

function ownSets(plan: NodePlan): readonly ProgramMap[] {
  return families.map((family) =>
    set(`own${family}`, keyTypes[family], ofFamily(plan.addresses, family).map(addressText)),
  );
}

/** The node's addresses as a neighbour would claim them, compared as bare bytes. */
function claimedSet(plan: NodePlan): ProgramMap {
  const keys = ofFamily(plan.addresses, 6).map(({ lo }) => `0x${lo.toString(16).padStart(32, '0')}`);
  return set('claimed6', `typeof ${claimedAddress}`, keys);
}

function enginePorts(plan: NodePlan): ProgramMap {
  return set(
    'engine_ports',
    'ifname',
    plan.engines.map((engine) => quoted(engine.interface)),
  );
}

function engineSources(plan: NodePlan, family: Family): ProgramMap {
  const keys = plan.engines.flatMap((engine) =>
    ofFamily(engine.addresses, family).map((range) => `${quoted(engine.interface)} . ${addressText(range)}`),
  );
  return set(`engine_sources${family}`, `ifname . ${keyTypes[family]}`, keys);
}

/** Ranges of consoles may overlap; in a set that only says "is among them", the kernel takes that as one. */
function consoleSets(plan: NodePlan): readonly ProgramMap[] {
  return families.flatMap((family) =>
    (['in', 'out'] as const).map((direction) => {
      const keys = plan.consoles
        .filter((way) => way.direction === direction && way.peer.family === family)
        .flatMap((way) => serviceKeys(way.peer, way.services));
      return set(
        `console_${direction}${family}`,
        `${keyTypes[family]} . inet_proto . inet_service`,
        keys,
        true,
      );
    }),
  );
}

function choiceOf(plan: NodePlan): SkeletonChoice {
  const servers = plan.dhcp?.servers.length ?? 0;
  return {
    levels: plan.levels.length,
    quarantine: plan.quarantine,
    engines: plan.engines.length > 0,
    dhcp: plan.dhcp === undefined ? 'no' : servers > 0 ? 'known-servers' : 'any-server',
    routers: plan.routers.length > 0,
  };
}

function inetTable(
  plan: NodePlan,
  compiled: readonly CompiledLevel[],
  maps: readonly ProgramMap[],
): ProgramTable {
  const choice = choiceOf(plan);
  const { levels } = plan;
  return {
    family: 'inet',
    chains: [
      ...refusalChains(levels.map((level) => level.onRefuse)),
      ...compiled.flatMap((one, level) =>
        levelChains(level, levels.length, one, (family) => crossing(choice, family, 'one')),
      ),
      ...skeletonChains(choice),
    ],
    maps: [...knownSets, ...plainSets(plan), ...maps],
    counters: refusalCounters(levels.length),
  };
}

function plainSets(plan: NodePlan): readonly ProgramMap[] {
  return [
    ...ownSets(plan),
    claimedSet(plan),
    enginePorts(plan),
    ...families.map((family) => engineSources(plan, family)),
    ...consoleSets(plan),
    set('dhcp_servers', keyTypes[4], ofFamily(plan.dhcp?.servers ?? [], 4).map(addressText)),
    set('routers6', keyTypes[6], ofFamily(plan.routers, 6).map(addressText)),
  ];
}

function latches(plan: NodePlan, others: readonly ProgramTable[]): readonly ProgramTable[] {
  const inet: ProgramTable = {
    family: 'inet',
    chains: latchChains(choiceOf(plan)),
    maps: plainSets(plan),
    counters: [],
  };
  return [inet, ...others].map((table) => ({ ...table, latch: true }));
}

function otherTables(plan: NodePlan): readonly ProgramTable[] {
  const own4 = set('own4', keyTypes[4], ofFamily(plan.addresses, 4).map(addressText));
  return [
    {
      family: 'arp',
      chains: arpChains(plan.engines.length > 0),
      maps: [own4, enginePorts(plan), engineSources(plan, 4)],
      counters: [],
    },
    { family: 'bridge', chains: bridgeChains, maps: [], counters: [] },
  ];
}

interface CompiledLevel {
  readonly boxes: LevelBoxes;
  readonly elements: LevelElements;
  readonly choices: PrefixChoices;
  /** How many elements its maps of ranges had when the hashes were chosen. */
  readonly ranged: number;
}

function compileLevel(boxes: LevelBoxes, level: number): CompiledLevel {
  const choices = choosePrefixes(boxes.boxes);
  const elements = levelElements(level, boxes, choices);
  return { boxes, elements, choices, ranged: rangedIn(elements) };
}

function rangedIn(elements: LevelElements): number {
  let count = 0;
  for (const [name, map] of elements) if (/_(?:ranges|whole)$/u.test(name)) count += map.size;
  return count;
}

/** A level that grew filter by filter may have outgrown the hashes that were chosen for it. */
const rangedMore_max = 512;

/**
 * Makes programs, and remembers how each level was compiled, so that a plan in which one level changed, or only an
 * address, costs no more than what changed.
 */
export class ProgramMaker {
  #levels: readonly CompiledLevel[] = [];

  /** Levels whose `LevelBoxes` are the same object as last time are not compiled again. */
  make(plan: NodePlan): FirewallProgram {
    this.#levels = plan.levels.map((boxes, level) => {
      const before = this.#levels[level];
      return before?.boxes === boxes ? before : compileLevel(boxes, level);
    });
    return this.#program(plan, new Map());
  }

  /** `plan` differs from the last one only in that `change` happened to the boxes of `level`. */
  change(plan: NodePlan, level: number, change: BoxChange): FirewallProgram {
    const before = this.#levels[level];
    const boxes = plan.levels[level];
    if (before === undefined || boxes === undefined || boxes.otherwise !== before.boxes.otherwise)
      return this.make(plan);
    const { choices, ranged } = before;
    const { otherwise } = boxes;
    const { elements, changes } = changeElements(level, before.elements, { otherwise, choices }, change);
    if (rangedIn(elements) > ranged * 2 + rangedMore_max) return this.make(plan);
    const changed = { boxes, elements, choices, ranged };
    this.#levels = this.#levels.map((old, index) => (index === level ? changed : old));
    return this.#program(plan, changes);
  }

  #program(plan: NodePlan, changes: ReadonlyMap<string, ElementChange>): FirewallProgram {
    const maps = this.#levels.flatMap(({ elements, choices }, level) =>
      levelMaps(level, elements, choices, changes),
    );
    const others = otherTables(plan);
    return { tables: [inetTable(plan, this.#levels, maps), ...others, ...latches(plan, others)] };
  }
}

export function programOf(plan: NodePlan): FirewallProgram {
  return new ProgramMaker().make(plan);
}
