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
  'quote-wrong': {
    what: 'What the TPM of the node attests was not attested for this.',
    why: 'A quote that was recorded says nothing of the machine as it is now.',
    todo: 'Ask again. If it stays so, somebody is between you and the node: send it no secret.',
  },
  'quote-missing': {
    what: 'The node keeps its secrets in a TPM, and shows no word of that TPM on what the machine measures.',
    why: 'Shares and secrets go only to a machine whose TPM has said what was started on it.',
    todo: 'Update BMonitor on the node. If it has done so before, send it no secret until it is clear why it does not now.',
  },
  'measured-unknown': {
    what: 'The machine measures what this console has not accepted.',
    why: 'Another firmware, kernel or BMonitor runs there than when this console first sent a share or a secret.',
    todo: 'Compare the digest with that of the update that you approved. If it is as it should be: nodes measurement NODE --accept DIGEST.',
  },
  'not-measured': {
    what: 'BMonitor was not measured when this machine was started.',
    why: 'The secrets would be bound to a register that holds nothing: an altered BMonitor could open them, and after the next boot the right one could not.',
    todo: 'Install busybox and initramfs-tools, run update-initramfs -u, start the machine again, then make the node. For trying out: --keys file.',
  },
  'tpm-not-the-same': {
    what: 'This is not the TPM that holds the secrets of the node, or it was cleared.',
    why: 'A disk that was moved to another machine opens nothing there.',
    todo: 'Put the disk back into its own machine. If the TPM was cleared, the data is gone: adopt the node anew.',
  },
  'not-blind': {
    what: 'The node did not prove that only all keys together open the data.',
    why: 'A smaller choice of keys opened it, or not every choice was tried.',
    todo: 'Trust nothing to this node. Rotate your keys with a K of your own, ask again, and speak with the landlord.',
  },
  'nothing-measured': {
    what: 'Nothing is measured on this node.',
    why: 'Its secrets rest in a file, which gives them to whatever system was started, so that there is nothing to approve.',
    todo: 'Update the machine as you like; use a TPM for anything but trying out.',
  },
  'measured-already': {
    what: 'The machine measures so now.',
    why: 'What is approved is what it will measure after an update.',
    todo: 'Take the digest from a machine of the same make that was started with the update: `bmonitor status` shows it.',
  },
  'key-exists': {
    what: 'The level has a symmetric key already.',
    why: 'Making another would replace it, and that is another command, which says what becomes of the data.',
    todo: 'Rotate the keys if that is what you want.',
  },
  'no-key': {
    what: 'The level has no such key.',
    why: 'Without it there is nothing to lock or to open.',
    todo: 'Make the key first, or look with keys.read at what there is.',
  },
  'share-wrong': {
    what: 'The share does not fit.',
    why: 'It is another one, or it was not sealed to this start of the node and this key.',
    todo: 'Ask for the pair of this start and seal the right share to it. If the share is lost, rotate the keys with destroy: the data is gone with it.',
  },
  'needs-owner': {
    what: 'A level below owns data under this key and has not agreed that it is replaced and the data kept.',
    why: 'Only the level that owns data may say that it is kept when a key over it changes hands or is replaced.',
    todo: 'Ask the levels that are named for their consent, or use destroy and name their leases.',
  },
  'data-not-yours': {
    what: 'The data is not the asking level’s to keep.',
    why: 'Whoever replaces the keys of another level destroys the key to its data in the same step.',
    todo: 'Use destroy and name the leases, or let the level rotate its own keys.',
  },
  'destroys-not-named': {
    what: 'The command does not name exactly what it destroys.',
    why: 'A plain yes is not enough for what cannot be undone.',
    todo: 'Look at the leases in the data of this refusal; name them all, and only them, if they may go.',
  },
  'shares-outstanding': {
    what: 'The keys above this data are not all open: a level has not sent its share since the node started.',
    why: 'That level chose that a node which was taken away as a whole stays dark; or its lease is over, and its keys are closed until it is extended.',
    todo: 'Ask the level that keys.read names to send its share; until then the node enforces and answers what needs no data.',
  },
} as const satisfies Catalogue;
