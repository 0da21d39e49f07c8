import type { Catalogue } from './entry.js';

/** Engines and their images. */
export const engineErrors = {
  'engine-unknown': {
    what: 'The level has no engine of this name.',
    why: 'A name that is not known is never guessed at.',
    todo: 'List the engines and name one of them, or describe it first.',
  },
  'too-many-engines': {
    what: 'The level has as many engines as it may, or the node has no place left for one more.',
    why: 'Each engine has ids and an interface of its own, of which there is a fixed number.',
    todo: 'Remove an engine that is not used any more.',
  },
  'folder-in-use': {
    what: 'An engine names the folder among its mounts; its name is shown.',
    why: 'What is in a folder is destroyed only when nobody wants it any more.',
    todo: 'Describe the engine without the folder, or remove the engine; then remove the folder.',
  },
  'port-in-use': {
    what: 'Another engine, or BMonitor itself, has this port of the node.',
    why: 'A port leads to one engine only.',
    todo: 'Choose another port, or take it from the engine that has it.',
  },
  'address-not-for-engines': {
    what: 'This address is not one that the machine keeps for engines.',
    why: 'An engine that chose an address freely would take those of others. Who keeps the machine names the addresses for engines in its configuration.',
    todo: 'Choose one that engines.read names under addresses, or ask who keeps the machine for one.',
  },
  'address-in-use': {
    what: 'Another engine has this address.',
    why: 'All that comes to an address leads to one engine.',
    todo: 'Choose another address, or take it from the engine that has it.',
  },
  'not-that-way': {
    what: 'The engine is not in a state in which that can be done.',
    why: 'Only what runs can be paused, and only what is paused goes on.',
    todo: 'Read how the engine is, and start it if it is stopped.',
  },
  'image-not-built': {
    what: 'The image could not be built.',
    why: 'A program that was needed for it is missing or has failed; its last words are beside this.',
    todo: 'Mend what they name. What runs on the nodes was not touched.',
  },
  'engines-not-here': {
    what: 'This machine cannot run engines.',
    why: 'An OCI runtime that works with its control groups, conmon, or something of the kernel is missing; or BMonitor does not run as root.',
    todo: 'Run bmonitor doctor, and install what it names.',
  },
  'secret-unknown': {
    what: 'The level keeps no secret of this name.',
    why: 'A name that is not known is never guessed at.',
    todo: 'List the secrets and name one of them, or set it first.',
  },
  'secret-unreadable': {
    what: 'The secret is not sealed to this start of the node, for this name and lease, or it is too large.',
    why: 'A secret is sealed to a pair that lives as long as one start of the node, so that nobody opens it later.',
    todo: 'Ask for the pair of this start (keys.boot), and seal the secret to it anew.',
  },
  'secret-missing': {
    what: 'The engine may know a secret that is not set.',
    why: 'An engine is started with all that its settings name, or not at all.',
    todo: 'Set the secret, or take its name out of the settings of the engine; it is tried again by itself.',
  },
  'message-not-taken': {
    what: 'The message was not taken.',
    why: 'The other engine is not there, nobody in it receives, a filter of some level stands between, or it does not take messages that are sealed so.',
    todo: 'Look at messages in the settings of both, at the filters between them, and whether the other one says receive.',
  },
  'no-message-key': {
    what: 'Messages to other nodes are sealed, and there is no key for that.',
    why: 'Between nodes others could read them, or send some under any name.',
    todo: 'Set a secret with the same value on both nodes, and name it as key in messages of both engines.',
  },
  'memory-refused': {
    what: 'The engine is not given that much memory, or cannot give that much back.',
    why: 'It asks for more than its settings allow or the node has, or uses more than it wants to keep.',
    todo: 'Raise memory_most_mb in its settings, end what is not needed, or let the engine free memory first.',
  },
  'engine-silent': {
    what: 'Nobody in the engine answered.',
    why: 'Nobody there gave this name over the engine’s own socket, or who did hangs or hung up.',
    todo: 'Look at the log of the engine; restart it if it hangs.',
  },
  'engine-out-of-disk': {
    what: 'The engine has written more than it may, and is not started.',
    why: 'It was ended for it, and would be ended again.',
    todo: 'Reload the engine, which destroys what it wrote beside its folders, or describe it with a larger disk_mb.',
  },
  'engine-failed': {
    what: 'The engine could not be started.',
    why: 'The runtime refused it; what it said is shown.',
    todo: 'Look at the command, the user and the working directory in its settings, and whether the image has them.',
  },
  'engine-alive': {
    what: 'An engine that was killed does not end.',
    why: 'The kernel holds one of its processes, mostly because a disk does not answer; while it lives, its data is not given up.',
    todo: 'Look at the disks of the machine; it is tried again by itself.',
  },
  'image-missing': {
    what: 'The image is not stored on this node.',
    why: 'An engine starts only from an image that is here, whole and checked.',
    todo: 'Send the image to the node first.',
  },
  'image-damaged': {
    what: 'What is stored of the image is not what its digest says.',
    why: 'A disk lost something, or somebody altered it; nothing is started from it.',
    todo: 'Send the image again; it replaces what is here.',
  },
  'image-refused': {
    what: 'The image is not one that BMonitor unpacks.',
    why: 'It is damaged, not of the OCI format, for another kind of machine, or contains what could reach out of its folder.',
    todo: 'Read what is named; make the image anew with podman, skopeo or buildah.',
  },
} as const satisfies Catalogue;
