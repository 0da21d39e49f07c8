import type { Catalogue } from './entry.js';

/** Errors of a console's store. */
export const storeErrors = {
  'store-conflict': {
    what: 'What was to be changed has changed in the meantime.',
    why: 'Another person or console wrote first, and overwriting it unseen could undo their work.',
    todo: 'Read the present state and do the change again if it is still wanted.',
  },
  'store-compacted': {
    what: 'The store no longer remembers the changes that were asked for.',
    why: 'It keeps only the recent ones, so that its memory stays bounded.',
    todo: 'List the present state and watch from its revision on.',
  },
  'store-in-use': {
    what: 'Another process has the store open.',
    why: 'Two processes writing to one store would corrupt it.',
    todo: 'Stop the other console of this directory, or use its command line instead of starting a second one.',
  },
  'store-unreadable': {
    what: 'The store cannot be opened.',
    why: 'Its files are damaged or not accessible, and starting with half of the state would hide what is lost.',
    todo: 'Check the rights and the disk; copy the directory away before trying anything; restore it from a backup.',
  },
  'store-write-failed': {
    what: 'The store could not write.',
    why: 'The disk is full or failing; nothing of the write was acknowledged.',
    todo: 'Make room or replace the disk, then repeat what was refused.',
  },
  'store-away': {
    what: 'The store service does not answer.',
    why: 'Consoles that share a store know nothing for certain without it, and what was asked may or may not have been written.',
    todo: 'Look whether the store service runs and is reached from here; the console starts over by itself once it is.',
  },
  'store-stranger': {
    what: 'The store service let nobody in with this token.',
    why: 'Whoever can write to the store of a console commands its nodes.',
    todo: 'Copy the file `token` of the store service to the file `store-token` of this console.',
  },
  'no-shared-store': {
    what: 'This console keeps its store in its own directory.',
    why: 'A second machine can be the same console only where both use one store service.',
    todo: 'Make a store service (`store init`, `store run`) and a console with `init --store`.',
  },
  'standing-by': {
    what: 'This console stands by: another one does the work.',
    why: 'Two that act at once would do things twice.',
    todo: 'Ask the one that is named; if it is gone for good, this one takes over by itself within seconds.',
  },
  'owned-by-another': {
    what: 'Another console holds this piece of work.',
    why: 'Doing it twice could undo what the other one does.',
    todo: 'Nothing, if the other console is well; else wait until its time has passed.',
  },
} as const satisfies Catalogue;
