import type { ProgramChain, ProgramMap } from '../../ports/firewall.js';
import { families, type Direction, type Family } from '../model.js';
import { fullKey, groupChain, levelChain, type Way } from './levels.js';

/**
 * The chains through which every packet goes, from the base chain of its hook to the levels. docs/enforcement.md draws
 * them. Nothing here depends on how many filters there are.
 */
export interface SkeletonChoice {
  readonly levels: number;
  readonly quarantine: boolean;
  readonly engines: boolean;
  readonly dhcp: 'no' | 'any-server' | 'known-servers';
  readonly routers: boolean;
}

const word = { 4: 'ip', 6: 'ip6' } as const;
const known = 'ct mark and $mask @{known_full} accept';
const knownLocal = 'ct mark and $mask @{known_local} accept';
const answer = 'ct state related ct mark and $mask @{known_answer} accept';
const fromEngine = 'iifname @{engine_ports}';
const toEngine = 'oifname @{engine_ports}';

export const own = (family: Family, end: 'saddr' | 'daddr'): string =>
  `${word[family]} ${end} @{own${family}}`;
const when = (condition: boolean, ...rules: readonly string[]): readonly string[] => (condition ? rules : []);
/** What a node must hear and say is UDP or ICMPv6: whatever else comes does not go that way. */
const essential = (direction: Direction): string => `meta l4proto { 17, 58 } jump essential_${direction}`;
const each = (count: number, rule: (level: number) => string): readonly string[] =>
  Array.from({ length: count }, (_, level) => rule(level));

/** A flow between two addresses of the node has passed `out`, and must now pass `in`. */
export function crossing(choice: SkeletonChoice, family: Family, way: Way | 'one'): readonly string[] {
  const end = way === 'reply' ? 'saddr' : 'daddr';
  return when(choice.engines, `${own(family, end)} goto cross${family}_${way}`);
}

/** What is asked of a flow's starter: consoles first, then every level in turn. */
function judge(choice: SkeletonChoice, direction: Direction, family: Family, way: Way): ProgramChain {
  // The ways of consoles are the node's, and none of its engines: those pass what the levels pass.
  const end = (direction === 'out') === (way === 'start') ? 'iifname' : 'oifname';
  const notEngines = choice.engines ? `${end} != @{engine_ports} ` : '';
  const console = `${notEngines}${fullKey(direction, family, way)} @{console_${direction}${family}} goto stamp`;
  const levels = each(choice.levels, (level) => `jump ${levelChain(level, direction, family, way)}`);
  return {
    name: `${direction}${family}_${way}`,
    rules: [
      console,
      ...when(choice.quarantine, 'goto refuse_quarantine'),
      ...when(!choice.quarantine && choice.levels === 0, 'goto refuse_closed'),
      ...levels,
      ...when(direction === 'out', ...crossing(choice, family, way)),
      'goto stamp',
    ],
  };
}

function cross(choice: SkeletonChoice, family: Family, way: Way | 'one'): ProgramChain {
  const levels = each(
    choice.levels,
    (level) => `jump ${levelChain(level, 'in', family, way === 'one' ? 'start' : way)}`,
  );
  return {
    name: `cross${family}_${way}`,
    rules: [...levels, way === 'one' ? 'goto pass_once' : 'goto stamp_local'],
  };
}

function group(choice: SkeletonChoice, family: Family): ProgramChain {
  return {
    name: `group${family}`,
    rules: [
      ...when(choice.quarantine, 'goto refuse_quarantine'),
      ...when(choice.levels === 0, 'goto refuse_closed'),
      ...each(choice.levels, (level) => `jump ${groupChain(level, family)}`),
      `goto in${family}_start`,
    ],
  };
}

/** A TCP connection begins with SYN; one that does not was cut, or never was. */
const noStart = 'ct state new meta l4proto tcp tcp flags & (fin|syn|rst|ack) != syn goto refuse_invalid';

/**
 * The rules that a new epoch changes, each alone in a chain of its own and without a verdict: after a change of any rule that has one, the kernel walks
 * through all elements of all maps of the table, whether their verdicts lead in a circle. What is compared with the epoch stands in sets.
 */
const markChains: readonly ProgramChain[] = (['full', 'local', 'answer'] as const).map((kind) => ({
  name: `mark_${kind}`,
  rules: [`ct mark set ct mark and $keep or $${kind}`],
}));

const stampChains: readonly ProgramChain[] = (['full', 'local'] as const).map((kind) => ({
  name: kind === 'full' ? 'stamp' : 'stamp_local',
  rules: ['ct state invalid,untracked goto refuse_invalid', noStart, `jump mark_${kind}`, 'accept'],
}));

export const knownSets: readonly ProgramMap[] = (['full', 'local', 'answer'] as const).map((kind) => ({
  name: `known_${kind}`,
  key: 'mark',
  verdicts: false,
  ranges: false,
  counted: false,
  marks: true,
  elements: new Map([[`$${kind}`, '']]),
}));

/** A packet let out without a stamp for its flow; the latch knows it by this. */
const passOnce: ProgramChain = {
  name: 'pass_once',
  rules: ['meta mark set meta mark or $passed', 'accept'],
};

/** Of a neighbour advertisement, the address that it says something of: nft 1.0.6 has no word for it. */
export const claimedAddress = '@th,64,128';

/** What a node must hear and say to be on a network at all, and no filter can deny. `claims`: what becomes of who says that the node's addresses are its own. */
export function essentials(choice: SkeletonChoice, claims: string): readonly ProgramChain[] {
  const server = choice.dhcp === 'known-servers';
  const solicitation =
    'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } icmpv6 code 0 ip6 hoplimit 255';
  return [
    {
      name: 'essential_in',
      rules: [
        ...when(
          choice.dhcp !== 'no',
          `${server ? 'ip saddr @{dhcp_servers} ' : ''}udp sport 67 udp dport 68 accept`,
        ),
        `icmpv6 type nd-neighbor-advert ${claimedAddress} @{claimed6} ${claims}`,
        `${solicitation} accept`,
        ...when(
          choice.routers,
          'ip6 saddr @{routers6} icmpv6 type nd-router-advert icmpv6 code 0 ip6 hoplimit 255 accept',
        ),
        'ip6 saddr fe80::/10 icmpv6 type mld-listener-query ip6 hoplimit 1 accept',
      ],
    },
    {
      name: 'essential_out',
      rules: [
        ...when(
          choice.dhcp !== 'no',
          'ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept',
          `${own(4, 'saddr')} ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept`,
        ),
        ...when(server, `${own(4, 'saddr')} ip daddr @{dhcp_servers} udp sport 68 udp dport 67 accept`),
        `${own(6, 'saddr')} ${solicitation} accept`,
        `ip6 saddr fe80::/10 ${solicitation} accept`,
        'ip6 saddr :: icmpv6 type nd-neighbor-solicit icmpv6 code 0 ip6 hoplimit 255 accept',
        ...when(choice.routers, 'icmpv6 type nd-router-solicit icmpv6 code 0 ip6 hoplimit 255 accept'),
        'icmpv6 type { mld-listener-report, mld-listener-reduction, mld2-listener-report } ip6 hoplimit 1 accept',
      ],
    },
  ];
}

function input(choice: SkeletonChoice): readonly ProgramChain[] {
  return [
    ...families.map((family) => ({
      name: `input${family}`,
      rules: [`ct direction reply goto out${family}_reply`, `goto in${family}_start`],
    })),
    ...when2(choice.engines, {
      name: 'input_engine',
      rules: [
        essential('in'),
        'ct state related goto refuse_invalid',
        ...families.map((family) => `${own(family, 'daddr')} goto between${family}`),
        'goto refuse_foreign',
      ],
    }),
    {
      name: 'input',
      hook: { type: 'filter', hook: 'input', priority: 0 },
      rules: [
        known,
        'iifname "lo" accept',
        ...when(choice.engines, `${fromEngine} ${knownLocal}`, `${fromEngine} goto input_engine`),
        ...families.map((family) => `${own(family, 'saddr')} goto refuse_spoofed`),
        essential('in'),
        'ct state related goto refuse_invalid',
        ...families.map((family) => `${own(family, 'daddr')} goto input${family}`),
        'ip daddr { 224.0.0.0/4, 255.255.255.255 } goto group4',
        'ip6 daddr ff00::/8 goto group6',
        'goto refuse_foreign',
      ],
    },
  ];
}

function output(choice: SkeletonChoice): readonly ProgramChain[] {
  return [
    ...families.map((family) => ({
      name: `output${family}`,
      rules: [`ct direction reply goto in${family}_reply`, `goto out${family}_start`],
    })),
    {
      name: 'output',
      hook: { type: 'filter', hook: 'output', priority: 0 },
      rules: [
        known,
        'oifname "lo" accept',
        ...when(choice.engines, knownLocal),
        answer,
        essential('out'),
        ...families.map((family) => `${word[family]} saddr != @{own${family}} goto refuse_spoofed`),
        'ct state related goto refuse_invalid',
        ...when(choice.engines, ...families.map((family) => `${own(family, 'daddr')} goto between${family}`)),
        ...families.map((family) => `meta nfproto ipv${family} goto output${family}`),
        'goto refuse_foreign',
      ],
    },
  ];
}

/** Only engines make a node pass packets on. */
function forward(choice: SkeletonChoice): readonly ProgramChain[] {
  const base = (rules: readonly string[]): ProgramChain => ({
    name: 'forward',
    hook: { type: 'filter', hook: 'forward', priority: 0 },
    rules,
  });
  if (!choice.engines) return [base(['goto refuse_foreign'])];
  return [
    ...families.flatMap((family) => [
      {
        name: `between${family}`,
        rules: [`ct direction reply goto out${family}_reply`, `goto out${family}_start`],
      },
      {
        name: `from_engine${family}`,
        rules: [`${own(family, 'daddr')} goto between${family}`, `goto output${family}`],
      },
      {
        name: `to_engine${family}`,
        rules: [
          `${own(family, 'saddr')} goto refuse_spoofed`,
          `${own(family, 'daddr')} goto input${family}`,
          'goto refuse_foreign',
        ],
      },
    ]),
    base([
      `${fromEngine} ${known}`,
      `${toEngine} ${known}`,
      `${fromEngine} ${knownLocal}`,
      answer,
      'ct state related goto refuse_invalid',
      ...families.map((family) => `${fromEngine} meta nfproto ipv${family} goto from_engine${family}`),
      ...families.map((family) => `${toEngine} meta nfproto ipv${family} goto to_engine${family}`),
      'goto refuse_foreign',
    ]),
  ];
}

/** An engine speaks only from the addresses it was given. */
export function engineSource(otherwise: string): ProgramChain {
  const discovery =
    'ip6 saddr { ::, fe80::/10 } icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept';
  return {
    name: 'engine_source',
    rules: [
      ...families.map((family) => `iifname . ${word[family]} saddr @{engine_sources${family}} accept`),
      discovery,
      otherwise,
    ],
  };
}

/** Before routing, and only for engines: a hook costs every packet something, also when it asks nothing. */
function prerouting(choice: SkeletonChoice): readonly ProgramChain[] {
  if (!choice.engines) return [];
  return [
    engineSource('goto refuse_engine_source'),
    {
      name: 'prerouting',
      hook: { type: 'filter', hook: 'prerouting', priority: -300 },
      rules: [`${fromEngine} goto engine_source`, 'accept'],
    },
  ];
}

function when2(condition: boolean, ...chains: readonly ProgramChain[]): readonly ProgramChain[] {
  return condition ? chains : [];
}

export function skeletonChains(choice: SkeletonChoice): readonly ProgramChain[] {
  const ways = ['start', 'reply'] as const;
  return [
    ...markChains,
    ...stampChains,
    passOnce,
    ...essentials(choice, 'goto refuse_spoofed'),
    ...families.flatMap((family) => [
      ...when2(
        choice.engines,
        ...(['start', 'reply', 'one'] as const).map((way) => cross(choice, family, way)),
      ),
      ...(['in', 'out'] as const).flatMap((direction) =>
        ways.map((way) => judge(choice, direction, family, way)),
      ),
      group(choice, family),
    ]),
    ...input(choice),
    ...output(choice),
    ...forward(choice),
    ...prerouting(choice),
  ];
}

/** ARP: the node says only what is true of it, and believes nobody who claims its addresses. */
export function arpChains(engines: boolean): readonly ProgramChain[] {
  return [
    {
      name: 'input',
      hook: { type: 'filter', hook: 'input', priority: 0 },
      rules: [
        ...when(engines, 'iifname . arp saddr ip @{engine_sources4} accept', 'iifname @{engine_ports} drop'),
        'arp saddr ip @{own4} drop',
        'arp operation { request, reply } accept',
        'drop',
      ],
    },
    {
      name: 'output',
      hook: { type: 'filter', hook: 'output', priority: 0 },
      rules: [
        'arp saddr ip @{own4} arp operation { request, reply } accept',
        'arp saddr ip 0.0.0.0 arp operation request accept',
        'drop',
      ],
    },
  ];
}

/** A node is no bridge: what would pass below IP would pass by all filters. */
export const bridgeChains: readonly ProgramChain[] = [
  { name: 'forward', hook: { type: 'filter', hook: 'forward', priority: 0 }, rules: ['drop'] },
];
