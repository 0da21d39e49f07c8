import { limits } from './limits.js';
import { flag, optional, text, whole } from './parse.js';

/** What a node can do to its machine from within. Waking it is done from outside. */
export const powerActs = ['reboot', 'power-off', 'suspend'] as const;
export type PowerAct = (typeof powerActs)[number];

const reason = text({ max: limits.note_chars_max });

/** Until then engines may stop by themselves; the reason is told to every level. */
export const powerFields = {
  drain: optional(whole({ min: 0, max: limits.drain_s_max })),
  reason: optional(reason),
};

export const identifyFields = {
  on: flag,
  seconds: optional(whole({ min: 1, max: limits.identify_s_max })),
};
