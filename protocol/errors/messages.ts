import type { Catalogue } from './entry.js';

/** A message that is refused on its way in, in the order in which it is judged. */
export const messageErrors = {
  malformed: {
    what: 'The message is not of the form of the protocol.',
    why: 'What cannot be read exactly is refused before any key is used.',
    todo: 'Check the version of the console against that of the node; the form is in docs/protocol.md.',
  },
  cut: {
    what: 'The message is shorter or longer than it says it is.',
    why: 'A part of it was lost or added on the way.',
    todo: 'Send it again. If it happens again, look at what carries the connection.',
  },
  'too-many': {
    what: 'Too many messages came from this source.',
    why: 'One source must not keep the node from answering others.',
    todo: 'Wait for the seconds that are named; check what sends so many messages.',
  },
  'wrong-node': {
    what: 'The message is sealed to a key that this node does not have.',
    why: 'It is meant for another node, or the level has a new pair since.',
    todo: 'Check the address of the node; read the public keys of the node again.',
  },
  'node-sold': {
    what: 'The landlord that this message speaks for has handed the node on.',
    why: 'Its keys on the node are destroyed; the node sends what it signed of that, sealed to who handed it on and to who took it.',
    todo: 'Verify those receipts by the identity of the node. The new landlord takes the node in with nodes buy; nobody else can command it.',
  },
  replayed: {
    what: 'This very message came before.',
    why: 'Somebody, or a fault, repeats recorded traffic.',
    todo: 'Nothing was done a second time. To repeat a command on purpose, seal it anew with the same id.',
  },
  'cannot-open': {
    what: 'The seal of the message could not be opened.',
    why: 'It was altered on the way, or sealed wrongly.',
    todo: 'Send it again. If it happens again, look at what carries the connection.',
  },
  'unknown-console': {
    what: 'The key that signed the message is not enrolled for this level.',
    why: 'Only the consoles in the roster of a level speak for it.',
    todo: 'Sign with an enrolled key, or have the level add this console.',
  },
  'bad-signature': {
    what: 'The signature does not match.',
    why: 'The statement was altered, or signed with another key than it names.',
    todo: 'Check the key of the console.',
  },
  'wrong-console': {
    what: 'The notice was made for another console.',
    why: 'A notice is sealed to one console and names it, so that nobody can hand it to another.',
    todo: 'Nothing was taken from it. Look at what carries the connection, which gave it to the wrong one.',
  },
  'wrong-level': {
    what: 'The message is sealed to the key of one level and speaks for another.',
    why: 'Each level has a pair of its own, so that no level can be spoken for through the seal of another.',
    todo: 'Seal to the public key of the level for which the console speaks.',
  },
  'wrong-lease': {
    what: 'The message was made for another lease of this level.',
    why: 'The lease ended or was granted anew; nothing carries over from one lease to the next.',
    todo: 'Read the present lease of the level; a lease that ended cannot be spoken for.',
  },
  'wrong-boot': {
    what: 'The message was made for an earlier start of the node.',
    why: 'What was recorded before a restart must not act after it.',
    todo: 'Read the hello of the node and seal the command anew, with the same id if it may have acted.',
  },
  stale: {
    what: 'The message is older than it may be.',
    why: 'It was held back on the way, or the clocks differ.',
    todo: 'Send it again; compare the clocks of console and node; a nonce of the node makes it independent of clocks.',
  },
  early: {
    what: 'The message was made in the future.',
    why: 'The clock of the console is ahead of that of the node.',
    todo: 'Compare the clocks; a nonce of the node makes the command independent of them.',
  },
  'nonce-needed': {
    what: 'This command needs a nonce that the node gave.',
    why: 'Commands on keys, leases and rosters, and those that loosen anything, must be provably new.',
    todo: 'Put the nonce of the hello or of the last reply into the command.',
  },
  'nonce-stale': {
    what: 'The nonce is not one that this node gave within the last minute.',
    why: 'The command was held back, or the node started anew.',
    todo: 'Ask for a hello and seal the command anew.',
  },
  'id-reused': {
    what: 'The id of the command was used before for another command.',
    why: 'One id stands for one command, so that a repetition can be told from a new one.',
    todo: 'Give each new command an id of its own.',
  },
  'out-of-order': {
    what: 'The command that this one should follow was not the last one of this console.',
    why: 'Messages were reordered or lost on the way.',
    todo: 'Read the history of the level and send what is missing.',
  },
  'history-fork': {
    what: 'The console has seen another history than this node has.',
    why: 'The node was put back to an older state, or the history was rewritten.',
    todo: 'Keep both heads as evidence, stop using the node, and compare the exported histories.',
  },
  'weak-key': {
    what: 'The key is weaker than is accepted here, or not an RSA key.',
    why: 'A weak key could be broken: one of a console could then speak for its level, one of a node be read or spoken for.',
    todo: 'Make an RSA pair of 3072 bits with exponent 65537. Where a console asks for longer keys than the node has (`init --node-key-bits`), the node is made anew with `--key-bits`.',
  },
  'stream-gap': {
    what: 'A part of the stream is missing.',
    why: 'Frames were lost, dropped or reordered on the way.',
    todo: 'Follow again from the last event that came whole.',
  },
  'stream-repeated': {
    what: 'A frame of the stream came twice or too late.',
    why: 'Frames were repeated or reordered on the way.',
    todo: 'Follow again from the last event that came whole.',
  },
  'stream-tampered': {
    what: 'A frame of the stream was altered.',
    why: 'Somebody, or a fault, changed it on the way.',
    todo: 'Follow again from the last event that came whole; look at what carries the connection.',
  },
  'stream-ended': {
    what: 'A frame came after the end of the stream, or for a stream that is not open.',
    why: 'The stream is over for this side.',
    todo: 'Follow again from the last event that came whole.',
  },
  'stream-cut': {
    what: 'The connection closed before the end of the stream.',
    why: 'The stream did not end by itself, so something may be missing.',
    todo: 'Follow again from the last event that came whole.',
  },
} as const satisfies Catalogue;
