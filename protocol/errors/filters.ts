import type { Catalogue } from './entry.js';

/** Errors of filter sets and of the tools around them. */
export const filterErrors = {
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
} as const satisfies Catalogue;
