import type { Catalogue } from './entry.js';

/** Errors of filter sets and of the tools around them. */
export const filterErrors = {
  'filters-exceed': {
    what: 'The filters would let through what a level above does not.',
    why: 'A lower level can only narrow what those above let through together.',
    todo: 'Look at the packet that is shown, and take it out of the allow filters that are named; or ask for the set to be clamped.',
  },
  'filters-too-complex': {
    what: 'The filters of this set overlap each other in too many ways.',
    why: 'Compiled to boxes that do not overlap, as the kernel needs them, they would fill the memory or hold up the node.',
    todo: 'Merge filters that cover each other, or replace wide denies across many allows by allows that leave the place out.',
  },
  'capture-unsupported': {
    what: 'This capture is of a form that is not read.',
    why: 'A capture that is half understood would be explained wrongly.',
    todo: 'Convert it as is said, or capture again with tcpdump -w.',
  },
  'not-enforced': {
    what: 'This node does not filter packets, so the kernel has nothing to say of them.',
    why: 'Its configuration names no addresses: it was set up to be tried out, not to enforce.',
    todo: 'Set up the node with its interface and its addresses, or with DHCP.',
  },
} as const satisfies Catalogue;
