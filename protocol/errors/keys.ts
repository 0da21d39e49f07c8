import type { Catalogue } from './entry.js';

/** Keys, and where they rest. */
export const keyErrors = {
  'tpm-failed': {
    what: 'The TPM could not be used.',
    why: 'Without it the secrets of the node cannot be opened or replaced, and there is no other copy of them.',
    todo: 'See that tpm2-tools are installed, that the device of the configuration is there, and that nothing else holds it.',
  },
  'tpm-measured-otherwise': {
    what: 'The TPM does not give its secrets, because this machine was not started as it was when they were made.',
    why: 'Firmware, boot loader, kernel or what else is measured has changed; whoever started another system gets nothing.',
    todo: 'Start the machine as it was before. If the change was wanted and nobody approved it before, the node must be adopted anew.',
  },
  'tpm-not-the-same': {
    what: 'This is not the TPM that holds the secrets of the node, or it was cleared.',
    why: 'A disk that was moved to another machine opens nothing there.',
    todo: 'Put the disk back into its own machine. If the TPM was cleared, the data is gone: adopt the node anew.',
  },
  'shares-outstanding': {
    what: 'The keys above this data are not all open: a level has not sent its share since the node started.',
    why: 'That level chose that a node which was taken away as a whole stays dark.',
    todo: 'Ask the level that keys.read names to send its share; until then the node enforces and answers what needs no data.',
  },
} as const satisfies Catalogue;
