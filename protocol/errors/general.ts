import type { Catalogue } from './entry.js';

/** Errors that any part may give. */
export const generalErrors = {
  'confirm-by-name': {
    what: 'What cannot be undone has to be confirmed by its name.',
    why: 'A plain yes is given too easily.',
    todo: 'Give the command again with the option that names what is to go.',
  },
  'no-terminal': {
    what: 'This command needs a terminal.',
    why: 'It asks the person before it, and there is nobody to ask.',
    todo: 'Use the commands that it names, which ask nothing.',
  },
  'bad-input': {
    what: 'The input is not of the form that is documented.',
    why: 'What is not known is refused, and nothing is changed.',
    todo: 'Correct the place that is named; the form is described in the documentation of the command or file.',
  },
  'too-large': {
    what: 'The input is larger than its limit.',
    why: 'Everything that comes in has a limit, so that no peer can exhaust the machine.',
    todo: 'Send less, or split it; the limits are listed in docs/limits.md.',
  },
  'not-found': {
    what: 'What was named does not exist here.',
    why: 'A name that is not known is never guessed at.',
    todo: 'List what there is and name it exactly.',
  },
  'cannot-listen': {
    what: 'The configured address cannot be listened on.',
    why: 'The address is not of this machine, or another program has the port.',
    todo: 'Correct the address in the configuration, or stop the other program (ss -ltnp shows it).',
  },
  internal: {
    what: 'BMonitor met a fault of its own.',
    why: 'The command was not carried out, because going on could leave something half done.',
    todo: 'Look in the log for the id that is named, and report it.',
  },
  'unknown-command': {
    what: 'There is no such command.',
    why: 'What is not known is refused.',
    todo: 'Check the version of the console against that of the node.',
  },
  'unknown-refusal': {
    what: 'The other side refused, with a code that this version does not know.',
    why: 'The other side is newer.',
    todo: 'Read the detail, and bring both sides to the same version.',
  },
} as const satisfies Catalogue;
