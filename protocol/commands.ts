import {
  commandWords,
  engineName,
  engineSettings,
  grace,
  imageDigest,
  port,
  terminalSize,
  variables,
} from './engines.js';
import { question, voiceName } from './engine-interface.js';
import { sealedSecret, secretName } from './engine-secrets.js';
import { identifyFields, powerFields } from './power.js';
import { bytesText, digestText, idText, labelText, nameText, publicJwk } from './fields.js';
import { limits } from './limits.js';
import {
  described,
  flag,
  list,
  object,
  oneOf,
  opaqueObject,
  optional,
  text,
  whole,
  type Parse,
  type Parsed,
} from './parse.js';
import { ok, refuse, type Result } from './result.js';

/** What one level may grant to the next; a subset of what it holds itself. */
export const rights = ['hardware', 'boundaries', 'engines', 'volumes', 'keys', 'lease'] as const;
export type Right = (typeof rights)[number];

/** How far the key of a console reaches within its level. */
export const roles = ['administrator', 'operator', 'developer'] as const;
export type Role = (typeof roles)[number];

/** Seconds since 1970. */
const moment = whole({ min: 0, max: 32_503_680_000 });
const anAddress = text({ max: 45, pattern: /^[0-9a-fA-F:.]+$/, form: 'an IPv4 or IPv6 address' });

/** How the asking console reaches the node: its own address, and the port that it dialled. */
const consoleWay = object({
  peer: anAddress,
  port: whole({ min: 1, max: 65_535 }),
});
export type ConsoleWay = Parsed<typeof consoleWay>;

const levelNumber = whole({ min: 0, max: limits.levels_max - 1 });
const version = whole({ min: 0, max: Number.MAX_SAFE_INTEGER });
const note = text({ max: limits.note_chars_max });

/** `nodes`: labels; the key speaks only on nodes that its level gave all of them. Absent: on every node where it is enrolled. */
export const consoleKey = object({
  key: publicJwk,
  name: nameText,
  role: oneOf(...roles),
  nodes: optional(list(labelText, { min: 1, max: limits.labels_per_node_max })),
});
export type ConsoleKey = Parsed<typeof consoleKey>;
const roster = list(consoleKey, { min: 1, max: limits.consoles_per_level_max });

/** A share, sealed to the pair of this start of the node. */
const sealedShare = text({ max: 2048, pattern: /^[A-Za-z0-9_.-]+$/, form: 'a compact JWE' });

/** A filter set in the file format; bmonitor/filters has its parser. */
const filterSet = described('a filter set, see [filters](filters.md)', opaqueObject);
const filter = described('a filter, see [filters](filters.md)', opaqueObject);
/** What the names in the filters stand for: `{"node:web-1": ["10.3.0.7"]}`. */
const names = described('an object: name to list of addresses', opaqueObject);

/**
 * The whole command surface: every command there is, and its one parser. What is not here does not exist; what a field is
 * not named here is refused.
 */
export const commandParsers = {
  /** What the node is, what it enforces and how it is; what is not known is shown as unknown. */
  status: object({}),
  /** The levels of the chain as far as the asking level may see them. */
  'levels.read': object({}),
  /** Entries of the own level's history, oldest first, from a sequence number on. */
  'history.read': object({
    from: whole({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    count: whole({ min: 1, max: limits.history_page_entries_max }),
  }),
  /** Receipts of the own level, signed by the node, oldest first, from a number on. */
  'receipts.read': object({
    from: whole({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    count: whole({ min: 1, max: limits.receipts_page_max }),
  }),
  /** Forgets entries up to a sequence number; the signed command is the checkpoint that keeps the rest verifiable. */
  'history.trim': object({ before: whole({ min: 1, max: Number.MAX_SAFE_INTEGER }), head: digestText }),
  /** Walks the own level's history and checks every link and signature: a long command. */
  'history.verify': object({}),
  /** A stream of what happens on the node, from after an event on, or from now. */
  'events.follow': object({ after: optional(version) }),
  /** Ends a long command before its end. */
  'job.cancel': object({ job: idText }),
  /** What long commands there are, how far they came, and how they ended. */
  'jobs.read': object({}),
  /** Names the node. */
  'node.rename': object({ name: nameText }),
  /** Enrolls one more console in the own level. */
  'consoles.add': object({ console: consoleKey }),
  /** Takes a console out of the own level; the last administrator stays. */
  'consoles.remove': object({ key: digestText }),
  /** Says by which labels the own level knows this node, all of them: keys of its consoles can be limited to nodes that have them. */
  'node.label': object({ labels: list(labelText, { max: limits.labels_per_node_max }) }),
  /** The names of the own keys, and of those over the own data; which are open. */
  'keys.read': object({}),
  /** The pair of this start of the node, signed by its identity key: shares are sealed to it. */
  'keys.boot': object({}),
  /** What opens the data of the last level, tried out and signed with a nonce of the asker's. */
  'keys.blindness': object({ nonce: bytesText(32) }),
  /** Makes the own K, where there is none. */
  'keys.make': object({}),
  /**
   * Replaces the own pair, or that of a level below; `key`: the K too. What happens to the data is said, never guessed, and what is destroyed is
   * named by its lease.
   */
  'keys.rotate': object({
    level: levelNumber,
    key: flag,
    data: oneOf('destroy', 'keep', 'reencrypt'),
    destroys: optional(list(idText, { max: limits.levels_max })),
  }),
  /** Allows the level above that has this lease to replace a key over the own data and keep it. Used once. */
  'keys.consent': object({
    to: idText,
    act: oneOf('rotate', 'transfer'),
    holder: optional(digestText),
  }),
  /** Locks the own K under a share at each start from now on; without a share, no longer. `old`: the share that holds now. */
  'keys.share': object({ share: optional(sealedShare), old: optional(sealedShare) }),
  /** Opens the own K after a start. */
  'keys.unlock': object({ share: sealedShare }),
  /** What the machine measured at its start, and what the levels approved that it may measure at its next. */
  'measurement.read': object({}),
  /** Approves what the machine will measure after an update. The TPM accepts it once the landlord and every level that has a K said so. */
  'measurement.approve': object({ digest: digestText }),
  /** Takes back what was approved. */
  'measurement.withdraw': object({}),
  /** Hands level 0 to a new holder. The leases below end, or go on where their holders agreed. `consoles`: from where the holder's reach the node. */
  'node.transfer': object({
    to: roster,
    below: oneOf('end', 'keep'),
    destroys: list(idText, { max: limits.levels_max }),
    consoles: optional(list(anAddress, { min: 1, max: limits.console_ways_max })),
  }),
  /** Leases to the level below: until when, with which rights, to which consoles. */
  'lease.grant': object({
    to: roster,
    rights: list(oneOf(...rights), { min: 1, max: rights.length }),
    until: moment,
    destroyAfter: optional(whole({ min: 0, max: limits.destroy_after_s_max })),
  }),
  /** The first act of a new holder: sets roster, pair and symmetric key in one step. Once per lease. */
  'lease.take': object({ roster, key: flag }),
  /** Moves the end of the lease of the level below. */
  'lease.extend': object({ lease: idText, until: moment }),
  /** Ends the own lease or one below it, and all below that, at once; destroys their keys. */
  'lease.end': object({ lease: idText }),
  /** The filters of a level: of the own, or, as boxes without names, what the levels above let through. */
  'filters.read': object({ level: optional(levelNumber) }),
  /** Replaces the own filters whole. `keep`: the digest of a secret by which they are kept when it is shown on the stream that follows. */
  'filters.replace': object({
    expect: version,
    set: filterSet,
    names: optional(names),
    clamp: optional(flag),
    confirmWithin: optional(whole({ min: 1, max: limits.confirm_s_max })),
    keep: optional(digestText),
    way: optional(consoleWay),
  }),
  /** Adds and removes some of the own filters. */
  'filters.change': object({
    expect: version,
    names: optional(names),
    add: list(filter, { max: limits.filters_per_change_max }),
    remove: list(whole({ min: 0, max: limits.filters_per_set_max - 1 }), {
      max: limits.filters_per_change_max,
    }),
    confirmWithin: optional(whole({ min: 1, max: limits.confirm_s_max })),
    way: optional(consoleWay),
  }),
  /** Keeps a change that would otherwise be undone. */
  'filters.confirm': object({ version }),
  /** Puts back what stood before a change that waits for its confirmation, at once and whole. */
  'filters.undo': object({ version }),
  /** How often each of the own filters passed and refused, since when. */
  'filters.counters': object({}),
  /** Sends packets that should be refused and says whether they were. */
  'filters.probe': object({}),
  /** The own engines, how they are and what they use; and what memory the node has for engines, and how much is left. */
  'engines.read': object({}),
  /** One engine with its settings. */
  'engine.read': object({ name: engineName }),
  /** The images that are stored here. */
  'images.read': object({}),
  /** A stream in which the console sends an archive; it ends with what was stored. `image`: what it must come to. */
  'image.send': object({ form: oneOf('oci-archive', 'plain-archive'), image: optional(imageDigest) }),
  /** The folders of the lease that engines mount: how much is in each, and who mounts it. */
  'folders.read': object({}),
  /** A stream of what an engine wrote: the newest lines, or those since a moment (milliseconds since 1970); `follow`: and what comes. */
  'engine.logs': object({
    name: engineName,
    since_ms: optional(version),
    follow: optional(flag),
  }),
  /** A stream of records through which a connection goes to a port inside an engine: a debugger's, for example. */
  'engine.forward': object({ name: engineName, port }),
  /** A stream of records: a command inside a running engine, with its own input and output, or on a `terminal`. It ends with the stream. */
  'engine.exec': object({
    name: engineName,
    command: commandWords,
    env: optional(variables),
    terminal: optional(terminalSize),
  }),
  /** A stream of records: what the engine itself writes from now on, and if it has a terminal, that. */
  'engine.attach': object({ name: engineName }),
  /** Asks a thread or process of an engine that gave its name over the engine's own socket, and answers what it said. */
  'engine.ask': object({ name: engineName, of: voiceName, text: question }),
  /** How many engines the levels below have and what they use; not what they are. */
  'engines.usage': object({}),
  /** Describes an engine, or one that is there anew: then `expect` is its revision, and what is new holds from its next start. */
  'engine.put': object({ name: engineName, settings: engineSettings, expect: optional(version) }),
  /** Starts an engine, and keeps it running. */
  'engine.start': object({ name: engineName }),
  /** Ends an engine, which is given its time. */
  'engine.stop': object({ name: engineName, grace_s: optional(grace) }),
  /** Ends an engine at once. */
  'engine.kill': object({ name: engineName }),
  /** Ends an engine and starts it again, with the settings that stand now. */
  'engine.restart': object({ name: engineName, grace_s: optional(grace) }),
  /** Like a restart, and what the engine had written beside its mounts is destroyed: it begins with the image as it is stored. */
  'engine.reload': object({ name: engineName, grace_s: optional(grace) }),
  /** Freezes an engine where it is. */
  'engine.pause': object({ name: engineName }),
  /** Lets a paused engine go on. */
  'engine.resume': object({ name: engineName }),
  /** Ends an engine and destroys what it had written, its logs and its settings. */
  'engine.remove': object({ name: engineName }),
  /** Destroys a folder with all that is in it. No engine may name it any more. */
  'folder.remove': object({ name: engineName }),
  /** The names of the secrets that the level keeps for its engines, and since when each is what it is. */
  'secrets.read': object({}),
  /** Sets a secret of engines, sealed to the pair of this start of the node. Engines that have it are given the new one. */
  'secret.set': object({ name: secretName, value: sealedSecret }),
  /** Destroys a secret of engines; those that run have it no more. */
  'secret.remove': object({ name: secretName }),
  /** How the machine is: each subject with what was read, its limit, and since when it is so. */
  'health.read': object({}),
  /** Starts the machine anew, after every level was told why and engines had their time to stop. */
  'hardware.reboot': object(powerFields),
  /** Switches the machine off; only who reaches it from outside can switch it on again. */
  'hardware.power-off': object(powerFields),
  /** Puts the machine to sleep until it is woken from outside. */
  'hardware.suspend': object(powerFields),
  /** Switches the light by which a person finds the machine, for a time. */
  'hardware.identify': object(identifyFields),
  /** Closes everything but the consoles, or lifts that. */
  quarantine: object({ on: flag, reason: optional(note) }),
  /** Says from which addresses consoles reach the node whatever filters say, instead of those of its configuration; undone unless it is confirmed. */
  'ways.set': object({
    consoles: list(anAddress, { min: 1, max: limits.console_ways_max }),
    confirmWithin: whole({ min: 1, max: limits.confirm_s_max }),
  }),
  /** Keeps the ways that were set. */
  'ways.confirm': object({}),
} as const satisfies Record<string, Parse<object>>;

export type CommandType = keyof typeof commandParsers;
export type CommandOf<T extends CommandType> = { readonly type: T } & Parsed<(typeof commandParsers)[T]>;
export type Command = { [T in CommandType]: CommandOf<T> }[CommandType];

export const commandTypes = Object.keys(commandParsers) as readonly CommandType[];

export function isCommandType(text: string): text is CommandType {
  return Object.hasOwn(commandParsers, text);
}

export function parseCommand(value: unknown, where: string): Result<Command> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return refuse('bad-input', 'must be an object', { where });
  const { type, ...fields } = value as Readonly<Record<string, unknown>>;
  if (typeof type !== 'string' || !isCommandType(type))
    return refuse('unknown-command', 'no such command', { where: `${where}.type` });
  const parse: Parse<object> = commandParsers[type];
  const parsed = parse(fields, where);
  return parsed.ok ? ok({ type, ...parsed.value } as Command) : parsed;
}
