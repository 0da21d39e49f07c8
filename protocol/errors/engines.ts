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
  'not-that-way': {
    what: 'The engine is not in a state in which that can be done.',
    why: 'Only what runs can be paused, and only what is paused goes on.',
    todo: 'Read how the engine is, and start it if it is stopped.',
  },
  'engines-not-here': {
    what: 'This machine cannot run engines.',
    why: 'An OCI runtime that works with its control groups, conmon, or something of the kernel is missing; or BMonitor does not run as root.',
    todo: 'Run bmonitor doctor, and install what it names.',
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
