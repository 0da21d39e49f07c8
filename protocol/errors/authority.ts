import type { Catalogue } from './entry.js';

/** A command that was understood and may not act. */
export const authorityErrors = {
  'not-authorised': {
    what: 'The level may not give this command.',
    why: 'The table of authority does not grant it to this level.',
    todo: 'Ask the level that may; the table is in bmonitor/authority/table.ts and in docs/authority.md.',
  },
  'right-missing': {
    what: 'The level does not hold the right that the command needs.',
    why: 'The right was not granted with the lease, or is handed on to the level below while its lease runs.',
    todo: 'Ask the level that granted the lease.',
  },
  'role-too-small': {
    what: 'The key of this console does not reach as far as the command.',
    why: 'Its level enrolled it with a smaller role.',
    todo: 'Use the key of an administrator, or have one enrol this console with a larger role.',
  },
  'out-of-scope': {
    what: 'The key of this console is limited to other nodes.',
    why: 'Its level enrolled it for nodes with certain labels, and this node has not got all of them from that level.',
    todo: 'Use it on a node with these labels, or have an administrator of the level label this node (roster label).',
  },
  'lease-not-taken': {
    what: 'The lease was granted and not yet taken.',
    why: 'Until the new holder takes it, nothing acts in its name.',
    todo: 'Take the lease first.',
  },
  'lease-taken': {
    what: 'The lease was already taken.',
    why: 'A lease is taken once; a second taking would replace the roster of its holder.',
    todo: 'If it was not you who took it, do not use the node, and ask the landlord to end the lease.',
  },
  'lease-dark': {
    what: 'The lease has passed its end.',
    why: 'Its level is dark: it may look, and nothing more, until its keys are destroyed.',
    todo: 'Ask the level above to extend the lease before the moment that status shows.',
  },
} as const satisfies Catalogue;
