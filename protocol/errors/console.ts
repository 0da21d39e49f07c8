import type { Catalogue } from './entry.js';

/** Errors of the consoles' API, keys and connections. */
export const consoleErrors = {
  'not-authenticated': {
    what: 'It is not known who asks.',
    why: 'The token, session or password is missing, wrong or has ended.',
    todo: 'Log in again, or give the token file of this console.',
  },
  'wrong-second-factor': {
    what: 'The second factor does not fit.',
    why: 'The code is wrong, was used before or is too old, or the passkey was made for another site or person.',
    todo: 'Try the next code; check the clock of the authenticator; else use a recovery code, or ask an administrator to reset the account.',
  },
  'wrong-password': {
    what: 'The present password is wrong.',
    why: 'What changes how an account is opened asks for its password again.',
    todo: 'Try again; if it is forgotten, ask an administrator to reset the account.',
  },
  'account-locked': {
    what: 'This name is locked for a while.',
    why: 'Too many logins failed in a row, which is what guessing looks like.',
    todo: 'Wait; if it was not you, tell an administrator. On the machine itself the command `open` always leads in.',
  },
  'last-second-factor': {
    what: 'The last second factor of an account cannot be removed.',
    why: 'Nobody could come in with it any more.',
    todo: 'Add another one first.',
  },
  'boundary-refused': {
    what: 'A node refused its new boundary, so no node has it.',
    why: 'A change of a boundary is taken by all nodes it concerns or by none.',
    todo: 'Look at what the node says against it; correct that, and change it again.',
  },
  'filters-unconfirmed': {
    what: 'Some nodes took the new filters and could not be told to keep them.',
    why: 'The connection to them broke between the two; they go back by themselves within a minute, and the others keep theirs.',
    todo: 'Wait a minute, look at filters show for the nodes that are named, and apply it again.',
  },
  'engine-not-well': {
    what: 'The engine did not run well in time after it was updated.',
    why: 'A rolling update goes on only when what was updated runs well; so this one went back.',
    todo: 'Look at its logs and at how it ended; correct the description or the image, and roll again.',
  },
  'no-place': {
    what: 'There are not enough nodes on which the engine could run.',
    why: 'A node is chosen only when it answers, has the image, and has memory left for the engine; nothing was changed.',
    todo: 'Name more nodes, make room on them, or give the description of the engine (--from), so that its image can be brought.',
  },
  'engine-differs': {
    what: 'The engine is not the same on all of these nodes.',
    why: 'How many of it run is changed only when it is clear what it is.',
    todo: 'Deploy one description to all nodes that have it; then say again how many there are to be.',
  },
  'plan-changed': {
    what: 'What would be done now is not what was shown.',
    why: 'Between the two something happened on the nodes, and nothing is done that nobody saw.',
    todo: 'Look at the plan again, and confirm that one.',
  },
  'boundary-drifted': {
    what: 'Some of the nodes have filters that this console did not give them.',
    why: 'Somebody changed them by hand, and going on would overwrite that unseen.',
    todo: 'Look at them with filters show; then push the boundary to the node, or make the change with --over-drift.',
  },
  'in-another-cluster': {
    what: 'A node is in one cluster at most.',
    why: 'The nodes of a cluster belong to one customer and may talk to each other.',
    todo: 'Take it out of the other cluster first.',
  },
  'not-permitted': {
    what: 'The role of this account does not reach that far.',
    why: 'Each route of the API names the least role that may call it.',
    todo: 'Ask an administrator of this console to do it or to change the role.',
  },
  'cross-site': {
    what: 'The request came from the page of another site.',
    why: 'A browser sends the session along with requests that others make; such requests change nothing here.',
    todo: 'Use the page of this console itself, or a token.',
  },
  'wrong-host': {
    what: 'The request names a host that is not this console.',
    why: 'Another site may have pointed its own name at this address to speak to the console through a browser.',
    todo: 'Use the address or the configured name of this console.',
  },
  'no-such-route': {
    what: 'The API has no such path or method.',
    why: 'What is not documented does not exist.',
    todo: 'Look at /api/v1/openapi.json.',
  },
  'already-there': {
    what: 'Something of this name or identity is there already.',
    why: 'Names stand for one thing only.',
    todo: 'Choose another name, or remove what is there first.',
  },
  'wrong-passphrase': {
    what: 'The passphrase does not open the key.',
    why: 'The passphrase is not the one it was sealed with, or the file was altered.',
    todo: 'Try again. If it is lost: restore a backup (key restore), or let another console of the level add a new key (roster add) and remove this one. Without either nobody can speak for the level any more, and only the landlord can end the lease, which destroys its data.',
  },
  'key-store-failed': {
    what: 'The store of the operating system does not give the passphrase.',
    why: 'Its program is missing, nobody is logged in who could unlock it, the machine was switched off since, or it was asked on another machine.',
    todo: 'Name the passphrase with --passphrase-file, or run the command at a terminal; then let a store keep it again (key keep).',
  },
  'key-rotating': {
    what: 'The key of this console is just being replaced.',
    why: 'Two keys lie beside each other under one passphrase until every node has heard of the next one.',
    todo: 'See how far it is with key rotate --status; wait for the nodes it names, leave them behind, or call it off.',
  },
  'key-not-rotating': {
    what: 'The key of this console is not being replaced, or the next one has taken its place already.',
    why: 'There is nothing that could be called off or left behind.',
    todo: 'See key rotate --status.',
  },
  'no-passphrase': {
    what: 'No passphrase was given.',
    why: 'The key of a console rests under a passphrase and is never used without it.',
    todo: 'Give --passphrase-file, or start the command at a terminal.',
  },
  'weak-passphrase': {
    what: 'The passphrase is too short.',
    why: 'Whoever copies the key file can try passphrases as long as they like.',
    todo: 'Choose a longer one: some words in a row are easy to keep.',
  },
  'open-secret-file': {
    what: 'A file that holds a secret can be read by others on this machine.',
    why: 'Going on would treat as secret what is not.',
    todo: 'Run chmod 600 on the file, and consider what was in it as seen.',
  },
  unreachable: {
    what: 'There is no connection to the node.',
    why: 'The address does not answer, or what carries the connection closed it.',
    todo: 'Check the address, the network between, and whether BMonitor runs there; the console keeps trying.',
  },
  'node-silent': {
    what: 'The node did not answer in time.',
    why: 'Silence is never taken for health, nor for refusal: whether the command acted is not known.',
    todo: 'Ask for the status; if the command is sent again with the same id it acts once.',
  },
  'wrong-answer': {
    what: 'The node answered a question, and the answer is wrong.',
    why: 'It names another question, node or lease than was meant, or contradicts what the same node said before.',
    todo: 'Take nothing for granted that this node says: look at its history and its machine; restart it when you know why.',
  },
  'wrong-pin': {
    what: 'Another key stands at the end of the TLS connection than the one that is pinned.',
    why: 'Somebody is in between, or the server has a new key.',
    todo: 'Compare the pin with what the server itself says it is; if it changed on purpose, add the node or gateway again.',
  },
  'cannot-write': {
    what: 'A file could not be written.',
    why: 'The directory is not writable, or the disk is full.',
    todo: 'Check the rights of the directory and the room on the disk, then do it again.',
  },
  'no-daemon': {
    what: 'The daemon of this console does not answer.',
    why: 'The command line only speaks to the running daemon, which alone holds the key and the store.',
    todo: 'Start it with the command run, or name its directory with --dir.',
  },
  'not-loopback': {
    what: 'This console may be served on the own machine only.',
    why: 'Whoever reaches it over a network could try to use the keys of the customer.',
    todo: 'Set api.host to 127.0.0.1 or ::1; use SSH to reach it from elsewhere.',
  },
  'already-leased': {
    what: 'The node is leased already.',
    why: 'A node has one chain of leases; who holds it now would lose it and its data.',
    todo: 'End the running lease first, naming it, or choose another node.',
  },
  'not-named': {
    what: 'What this destroys was not named.',
    why: 'A command that destroys data acts only if it names what it destroys; a plain yes is not enough.',
    todo: 'Look at what would be destroyed, and name the id of the lease.',
  },
  'not-for-us': {
    what: 'The hand-over is for other consoles.',
    why: 'The nodes in it do not know the key of this console.',
    todo: 'Ask the landlord for the hand-over of this console; give it the thumbprint that `key show` prints.',
  },
  'not-sold-yet': {
    what: 'The node still obeys the landlord that sells it.',
    why: 'The file was written before the node had been told, or the sale was refused.',
    todo: 'Ask the seller what nodes sold says; then give nodes buy once more.',
  },
  'wrong-identity': {
    what: 'The node in the hand-over is not the one on the label.',
    why: 'Its identity key differs from the one that came by another way, so somebody may stand in its place.',
    todo: 'Take nothing from this hand-over. Compare the label again, and ask the landlord.',
  },
  'lease-over': {
    what: 'The lease in the hand-over has ended already.',
    why: 'The file is old, or the clock of this machine is wrong.',
    todo: 'Check the clock; ask the landlord for a new hand-over.',
  },
  'controller-failed': {
    what: 'The machine could not be switched out of band.',
    why: 'Its management controller did not answer, refused, or ipmitool is not installed.',
    todo: 'Read what it said; check address, user and password with hardware controller set.',
  },
  'no-controller': {
    what: 'Nobody said how this machine is reached out of band.',
    why: 'The console knows no management controller, or no address that wakes it.',
    todo: 'Say it with hardware controller set.',
  },
} as const satisfies Catalogue;
