import type { ProgramChain } from '../../ports/firewall.js';
import type { OnRefuse } from '../model.js';
import { refuseChain } from './levels.js';

/**
 * Where packets end. Every refusal is counted, logged up to a rate, and dropped or answered. An answer is itself a packet
 * that goes out: it carries the refused packet's connection, and is known by the mark that is set here.
 */
export const logGroup = 176;
export const logPrefix = 'bmonitor ';
/** Enough for all headers and what an explainer wants to know. */
const logBytes = 160;

const logged = (reason: string): string =>
  `limit rate 100/second burst 200 packets log prefix "${logPrefix}${reason}" group ${logGroup} snaplen ${logBytes}`;

const answers: readonly string[] = [
  'limit rate over 500/second burst 1000 packets drop',
  'jump mark_answer',
  'meta l4proto tcp reject with tcp reset',
  'reject with icmpx admin-prohibited',
];

const fixedReasons = ['foreign', 'spoofed', 'invalid', 'closed', 'quarantine', 'engine_source'] as const;

const counterOf = (reason: string): string => `refused_${reason}`;
const fixedName = (reason: string): string => reason.replaceAll('_', ' ');

export function refusalChains(onRefuse: readonly OnRefuse[]): readonly ProgramChain[] {
  return [
    ...fixedReasons.map((reason) => ({
      name: `refuse_${reason}`,
      rules: [logged(fixedName(reason)), `counter name "${counterOf(reason)}"`, 'drop'],
    })),
    ...onRefuse.map((how, level) => ({
      name: refuseChain(level),
      rules: [
        logged(`filter ${level}`),
        `counter name "${counterOf(`filter_${level}`)}"`,
        ...(how === 'reject' ? answers : []),
        'drop',
      ],
    })),
  ];
}

export function refusalCounters(levels: number): readonly string[] {
  return [
    ...fixedReasons.map(counterOf),
    ...Array.from({ length: levels }, (_, level) => counterOf(`filter_${level}`)),
  ];
}
