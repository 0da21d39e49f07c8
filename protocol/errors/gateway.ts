import type { Catalogue } from './entry.js';

/** Errors of a gateway and of who dials one. */
export const gatewayErrors = {
  'gateway-stranger': {
    what: 'The gateway does not know this key.',
    why: 'It carries traffic only for nodes of its facility and for consoles of its customers.',
    todo: 'For a node: adopt it first. For a console: give its card to the landlord.',
  },
  'gateway-not-yours': {
    what: 'The gateway does not carry this console to that node.',
    why: 'No lease of that node to the customer of this console is known to it.',
    todo: 'Ask the landlord whether the lease runs.',
  },
  'gateway-node-away': {
    what: 'The node has not dialled this gateway.',
    why: 'A gateway only joins what has come to it.',
    todo: 'Check the gateway in the configuration of the node, and whether the node runs.',
  },
  'gateway-overrun': {
    what: 'More was sent through the gateway than was asked for.',
    why: 'Who sends waits until the other side has room, or it would fill the memory of others.',
    todo: 'This is a fault of the program that sent it: report it.',
  },
  'gateway-replaced': {
    what: 'The same node or console dialled the gateway again.',
    why: 'The newer connection takes the place of the older one.',
    todo: 'Nothing, if it was restarted; else look who else has its key.',
  },
} as const satisfies Catalogue;
