import type { Catalogue } from './entry.js';

/** A command that may act and does not fit the state of the node. */
export const nodeErrors = {
  'version-mismatch': {
    what: 'What the command would change was changed since.',
    why: 'Two consoles must not overwrite each other unseen.',
    todo: 'Read it again, look at the difference, and send the command with the version that stands now.',
  },
  'chain-occupied': {
    what: 'There is a lease below this level already.',
    why: 'No level is put into a living chain.',
    todo: 'End the lease below first; its end destroys what it holds.',
  },
  'chain-full': {
    what: 'The chain of levels is as long as it may be.',
    why: 'Each level costs a set of keys and of filters.',
    todo: 'End a lease in the chain.',
  },
  'right-not-held': {
    what: 'A right would be granted that the level does not hold itself.',
    why: 'Nobody can lease what it does not have.',
    todo: 'Grant fewer rights; status shows which the level holds.',
  },
  'lease-unknown': {
    what: 'No lease that this level may act on has this id.',
    why: 'What destroys data must name exactly what it destroys.',
    todo: 'Read the levels of the node and name the lease as it stands there.',
  },
  'lease-shortened': {
    what: 'The new end of the lease is before the old one, or in the past.',
    why: 'A lease is only extended by this command; to end it, say so.',
    todo: 'Name a later moment, or end the lease.',
  },
  'last-console': {
    what: 'The level would be left without an administrator.',
    why: 'Nobody could speak for it any more.',
    todo: 'Enrol another administrator first.',
  },
  'already-enrolled': {
    what: 'This key is enrolled already.',
    why: 'One key stands for one console of one level.',
    todo: 'Make a pair of its own for each console.',
  },
  'too-many-consoles': {
    what: 'The level has as many consoles as it may.',
    why: 'A roster has a limit.',
    todo: 'Remove a console that is not used any more.',
  },
  'no-spare-pair': {
    what: 'No pair made ahead is left.',
    why: 'Pairs are made ahead, so that no command waits for a prime; several were used just now.',
    todo: 'Send the command again in a few seconds.',
  },
  'nothing-pending': {
    what: 'No change of this version waits for a confirmation.',
    why: 'It was confirmed or undone already, or was never asked for.',
    todo: 'Read the filters and their version.',
  },
  'change-pending': {
    what: 'A change of filters waits for its confirmation.',
    why: 'Until it is confirmed or undone nothing else is built on it.',
    todo: 'Confirm it, or wait until it is undone.',
  },
  'job-ended': {
    what: 'The long command has ended already.',
    why: 'There is nothing left to cancel.',
    todo: 'Read the jobs to see how it ended.',
  },
  'too-many-jobs': {
    what: 'A long command of this kind runs already, or too many do.',
    why: 'Long commands must not keep the node from answering.',
    todo: 'Wait for its end, or cancel it.',
  },
  'power-failed': {
    what: 'The machine did not do what it was told: reboot, switch off or sleep.',
    why: 'Its service manager refused it, or this node is a process that cannot.',
    todo: 'Read what it said; where a management controller is known to the console, switch it out of band.',
  },
  'light-not-there': {
    what: 'This machine has no light that could be switched from within.',
    why: 'Neither a management controller, nor a light of the chassis, nor a network socket that blinks is there.',
    todo: 'Switch the light out of band, or find the machine by its place in the inventory.',
  },
  'program-failed': {
    what: 'A program of the machine failed.',
    why: 'It is not installed, refused, or did not end in time.',
    todo: 'Read what it said.',
  },
  'invariant-broken': {
    what: 'The command would have broken a rule that the node holds at all times.',
    why: 'This is a fault of BMonitor; nothing was changed.',
    todo: 'Report it with the rule that is named.',
  },
  'store-damaged': {
    what: 'What the node keeps on its disk cannot be read.',
    why: 'It was altered, belongs to another machine, or is older than the secrets it needs.',
    todo: 'Do not initialise over it. Keep a copy, and restore the directory of this very node or adopt it anew.',
  },
  'already-initialised': {
    what: 'There is a node in this directory already.',
    why: 'Initialising again would destroy its keys.',
    todo: 'Use another directory, or remove this one on purpose.',
  },
  'init-unfinished': {
    what: 'An earlier bmonitor init did not come to its end in this directory.',
    why: 'It was interrupted after it had begun to make keys. No console was given a card of this node, so nobody depends on it.',
    todo: 'Make sure that no node was ever run from this directory, remove it, and run bmonitor init again.',
  },
  'not-running': {
    what: 'No BMonitor answers for this folder.',
    why: 'It does not run, hangs, or the folder is another one.',
    todo: 'Look at the service (systemctl status bmonitor) and its log, and check the folder.',
  },
  'not-initialised': {
    what: 'There is no node in this directory.',
    why: 'It was never initialised, or the path is wrong.',
    todo: 'Run bmonitor init first, or name the right directory.',
  },
} as const satisfies Catalogue;
