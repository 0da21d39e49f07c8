import type { Filter } from '../../../bmonitor/filters/model.js';
import type { NodePlan } from '../../../bmonitor/filters/nft/plan.js';
import { level, peer } from './enforced.js';

/** Plans of every kind, chosen by a number, that all allow and all refuse certain things. */
export interface Always {
  /** May reach ports 80 and 81 in every plan but quarantine. */
  readonly allowed: string;
  /** May reach nothing in any. */
  readonly refused: string;
  readonly own: string;
}

/** A small generator, so that a run can be repeated from its seed. */
export function numbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function others(count: number, from: number): readonly Filter[] {
  return Array.from({ length: count }, (_, index) => {
    const at = from + index;
    const base = `10.${100 + (at % 50)}.${Math.floor(at / 50) % 250}`;
    // Many of one shape come to stand in a hash of prefixes, and with them the way that is always allowed.
    if (at % 4 === 0)
      return { action: 'allow', direction: 'in', peers: [`${base}.5`], protocol: 'udp', ports: ['80-81'] };
    if (at % 8 === 1) return { action: 'allow', peers: [`${base}.64/28`] };
    return at % 2 === 0
      ? { action: 'allow', direction: 'in', peers: [`${base}.7`], protocol: 'udp', ports: [80] }
      : {
          action: at % 3 === 0 ? 'deny' : 'allow',
          peers: [`${base}.1-${base}.9`],
          protocol: 'tcp',
          ports: [`${at % 1000}-2000`],
        };
  });
}

/** Ways to say that the allowed one may: exactly, by range, in two pieces, with everything. */
function wayIn({ allowed }: Always, pick: number): readonly Filter[] {
  const exact: Filter = { action: 'allow', direction: 'in', peers: [allowed], protocol: 'udp' };
  const prefix = `${allowed}-${allowed.slice(0, allowed.lastIndexOf('.'))}.30`;
  const ways: readonly (readonly Filter[])[] = [
    [{ ...exact, ports: [80, 81] }],
    [{ ...exact, ports: ['80-81'] }],
    [
      { ...exact, ports: ['0-80'] },
      { ...exact, ports: [81] },
    ],
    [{ action: 'allow', peers: [allowed] }],
    [{ action: 'allow', peers: [prefix] }],
    [exact, { action: 'deny', peers: [allowed], protocol: 'tcp' }],
  ];
  return ways[pick % ways.length] ?? [];
}

export const kinds = 9;

export function planOf(always: Always, random: (below: number) => number): Partial<NodePlan> {
  const size = [0, 3, 40, 1500][random(4)] ?? 0;
  const landlord = [...wayIn(always, random(6)), ...others(size, random(5000))];
  const deny: Filter = { action: 'deny', peers: [always.refused] };
  const levels = [
    level({
      filters: random(2) === 0 ? landlord : [...landlord, deny],
      onRefuse: random(4) === 0 ? 'reject' : 'drop',
    }),
    ...(random(3) === 0
      ? []
      : [
          level({
            otherwise: 'inherit',
            filters: others(random(60), random(5000)).map((it) => ({ ...it, action: 'deny' })),
          }),
        ]),
    ...(random(3) === 0 ? [level({ filters: wayIn(always, random(6)) })] : []),
  ];
  const extra = random(3) === 0 ? [peer(`10.99.0.${1 + random(200)}`)] : [];
  return {
    levels,
    addresses: [peer(always.own), ...extra],
    routers: random(2) === 0 ? [] : [peer('fe80::1')],
    engines: random(3) === 0 ? [{ interface: 'none0', addresses: [peer('10.99.1.1')] }] : [],
    dhcp: random(2) === 0 ? undefined : { servers: [] },
    quarantine: false,
  };
}
