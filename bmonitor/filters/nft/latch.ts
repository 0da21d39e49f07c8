import type { ProgramChain } from '../../ports/firewall.js';
import { families } from '../model.js';
import { fullKey } from './levels.js';
import { engineSource, essentials, own, type SkeletonChoice } from './skeleton.js';

/**
 * The latch: a second table behind the first, which the kernel keeps when another program flushes all rules, as long as
 * the process that made it lives. It judges nothing. It lets through what the first table stamped, what that one let out
 * without a stamp and marked so, and what nothing may close; so while the first table is gone, open flows go on, consoles
 * and the node's own needs pass, and nothing else does.
 *
 * Its chains that name an epoch are late: a packet stamped with the new epoch meets the latch of the old one and passes,
 * never the other way round.
 */
const fromEngine = 'iifname @{engine_ports}';
const toEngine = 'oifname @{engine_ports}';
const passed = 'meta mark and $passed == $passed accept';

const when = (condition: boolean, ...rules: readonly string[]): readonly string[] => (condition ? rules : []);

const floors: readonly ProgramChain[] = [
  { name: 'known', late: true, rules: ['ct mark and $mask >= $full accept'] },
  {
    name: 'known_local',
    late: true,
    rules: ['ct mark and $mask >= $local ct mark and $mask < $leastFull accept'],
  },
  {
    name: 'answers',
    late: true,
    rules: ['ct state related ct mark and $mask >= $answer ct mark and $mask < $leastLocal accept'],
  },
];

function toConsoles(direction: 'in' | 'out'): readonly string[] {
  const other = direction === 'in' ? 'out' : 'in';
  const end = direction === 'in' ? 'daddr' : 'saddr';
  return families.flatMap((family) => [
    `${own(family, end)} ct direction original ${fullKey(direction, family, 'start')} @{console_${direction}${family}} accept`,
    `${own(family, end)} ct direction reply ${fullKey(other, family, 'reply')} @{console_${other}${family}} accept`,
  ]);
}

export function latchChains(choice: SkeletonChoice): readonly ProgramChain[] {
  const { engines } = choice;
  const base = (hook: string, priority: number, rules: readonly string[]): ProgramChain => ({
    name: hook,
    hook: { type: 'filter', hook, priority },
    rules,
  });
  return [
    ...floors,
    ...essentials(choice, 'drop'),
    ...(engines
      ? [engineSource('drop'), base('prerouting', -299, [`${fromEngine} goto engine_source`])]
      : []),
    base('input', 1, [
      'jump known',
      'iifname "lo" accept',
      passed,
      ...when(engines, `${fromEngine} jump known_local`),
      ...families.map((family) => `${own(family, 'saddr')} drop`),
      'jump essential_in',
      'ct state invalid,untracked drop',
      ...toConsoles('in'),
      'drop',
    ]),
    base('output', 1, [
      'jump known',
      'oifname "lo" accept',
      passed,
      ...when(engines, 'jump known_local'),
      'jump answers',
      'jump essential_out',
      'ct state invalid,untracked drop',
      ...toConsoles('out'),
      'drop',
    ]),
    base('forward', 1, [
      ...when(
        engines,
        `${fromEngine} jump known`,
        `${toEngine} jump known`,
        `${fromEngine} jump known_local`,
        passed,
        'jump answers',
      ),
      'drop',
    ]),
  ];
}
