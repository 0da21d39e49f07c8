import type { Catalogue } from './entry.js';

/** Where the files of a level rest. */
export const dataErrors = {
  'data-no-store': {
    what: 'This node has no place for the files of a level.',
    why: 'They are only ever stored encrypted under the key of their lease, and this machine cannot do that.',
    todo: 'See what bmonitor doctor says is lacking, and start BMonitor again.',
  },
  'data-no-space': {
    what: 'There is no room for the files of the lease.',
    why: 'What a lease may use is set aside whole, so that its files never lack the room that was promised.',
    todo: 'Make room on the disk of the node, or configure less for each lease (data in node.json).',
  },
  'data-tool-failed': {
    what: 'A program that the files of a level need did not do its work.',
    why: 'Without it their directory can be neither opened nor closed; nothing is stored in the clear instead.',
    todo: 'See what the program said, and bmonitor doctor. It is tried again by itself.',
  },
  'data-moving': {
    what: 'The files of the lease are just being encrypted anew.',
    why: 'What was written to the old place now would be lost with it, so nothing is.',
    todo: 'Wait until the job has ended (keys jobs shows how far it is), or cancel it (keys cancel).',
  },
  'directory-busy': {
    what: 'Somebody still has files of a lease open that must be closed.',
    why: 'What is open can be read by who has it until it ends. fscrypt’s key is taken from the kernel for all others; that of a LUKS volume only when nobody has a file open.',
    todo: 'Nothing: it is tried again by itself. If it stays, look with fuser -m at who holds the directory.',
  },
} as const satisfies Catalogue;
