import type { Catalogue } from './entry.js';

/** How a machine without a landlord and a console find each other. */
export const pairingErrors = {
  'pairing-code-wrong': {
    what: 'The code that was typed is not the one that belongs here, so nothing was adopted.',
    why: 'Somebody mistyped it, compared with another machine, or stands between this machine and the console. Each begin has one try.',
    todo: 'Run bmonitor pair again at the machine and begin anew. If it happens twice, look for who is in between; nothing was given away.',
  },
  'pairing-ended': {
    what: 'The pairing ended before it was done.',
    why: 'The connection was lost, or somebody stopped at the other side.',
    todo: 'Run bmonitor pair again at the machine. If it says that there is a node already, give its card-0.json to the console: nodes add.',
  },
  'pairing-broken': {
    what: 'The other side did not keep to the order of a pairing.',
    why: 'It is of another version, faulty or hostile.',
    todo: 'Check the address and the versions on both sides, and begin anew.',
  },
} as const satisfies Catalogue;
