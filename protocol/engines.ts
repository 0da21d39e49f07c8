import { isIP } from 'node:net';
import {
  described,
  flag,
  dictionary,
  list,
  object,
  oneOf,
  optional,
  text,
  whole,
  type Parsed,
} from './parse.js';
import { limits } from './limits.js';
import { ok, refuse, type Result } from './result.js';
import { probe } from './engine-probes.js';
import { secretName } from './engine-secrets.js';

/** How an engine is described, in commands and in the node's memory. docs/engines.md tells it to its readers. */
export const words = text({
  max: limits.engine_text_chars_max,
  pattern: /^[^\0]*$/,
  form: 'a text without NUL',
});

export const imageDigest = text({
  min: 71,
  max: 71,
  pattern: /^sha256:[0-9a-f]{64}$/,
  form: 'the digest of an image, as sha256:…',
});

export const engineName = text({
  max: limits.name_chars_max,
  pattern: /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/,
  form: 'small letters, digits, dots and hyphens, with a letter or digit at both ends',
});

/** A path inside the engine that says what it says: no dots that lead elsewhere. */
export const insidePath = text({
  max: limits.image_path_chars_max,
  pattern: /^\/(?!.*(^|\/)\.{1,2}(\/|$))[^\0]*$/,
  form: 'an absolute path without . and ..',
});

/** Variables of an engine, or of a command in it. */
export const variables = dictionary(words, {
  name: /^[A-Za-z_][A-Za-z0-9_]{0,127}$/,
  max: limits.engine_variables_max,
  form: 'letters, digits and _',
});

export const commandWords = list(words, { min: 1, max: limits.engine_words_max });

export const port = whole({ min: 1, max: 65_535 });

const lines = whole({ min: 1, max: 65_535 });

/** Of a terminal. */
export const terminalSize = object({ rows: lines, columns: lines });

export const grace = whole({ min: 0, max: limits.engine_grace_s_max });

/** What holds where the settings say nothing. */
export const engineDefaults = {
  memory_mb: 256,
  processor_thousandths: 1000,
  processes: 256,
  grace_s: 10,
  disk_mb: 1024,
} as const;

const mib = 1024 * 1024;

/** What BMonitor itself puts into every engine: nothing of it can be covered. */
const ownPlaces = [
  '/proc',
  '/sys',
  '/dev',
  '/run/bmonitor',
  '/run/secrets',
  '/etc/hosts',
  '/etc/hostname',
  '/etc/resolv.conf',
];

/** Folders of the lease that engines share and that outlive them, and small files that are given with the description. */
const mounts = list(object({ folder: engineName, at: insidePath, readOnly: optional(flag) }), {
  max: limits.engine_parts_max,
});
const files = list(object({ at: insidePath, text: words }), { max: limits.engine_given_files_max });

interface Placed {
  readonly mounts?: Parsed<typeof mounts>;
  readonly files?: Parsed<typeof files>;
}

/** Every place is given once, and none is BMonitor's own or the whole image. */
function placesOf({ mounts: folders = [], files: given = [] }: Placed, where: string): Result<void> {
  const taken = new Set<string>();
  const kinds = { mounts: folders, files: given };
  for (const [kind, all] of Object.entries(kinds))
    for (const [index, { at }] of all.entries()) {
      const place = `/${at.split('/').filter(Boolean).join('/')}`;
      const own = ownPlaces.some((one) => place === one || place.startsWith(`${one}/`));
      const why =
        own || place === '/' ? 'is a place of BMonitor’s own' : taken.has(place) ? 'is given twice' : '';
      if (why !== '') return refuse('bad-input', `${at} ${why}`, { where: `${where}.${kind}[${index}].at` });
      taken.add(place);
    }
  return ok(undefined);
}

/** A port of the node on which it takes messages; what it shares with engines of other nodes; and where those are. */
const messages = object({
  port,
  key: optional(secretName),
  peers: optional(
    dictionary(
      object({
        address: text({
          max: 15,
          pattern: /^((\d{1,2}|1\d\d|2[0-4]\d|25[0-5])(\.(?!$)|$)){4}$/,
          form: 'an IPv4 address',
        }),
        port,
        /** What it is called there. Absent: as here. */
        engine: optional(engineName),
      }),
      {
        name: /^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$/,
        max: limits.engine_parts_max,
        form: 'small letters, digits, dots and hyphens',
      },
    ),
  ),
});

const ownAddresses = list(text({ max: 45, pattern: /^[0-9a-fA-F:.]+$/, form: 'an IPv4 or IPv6 address' }), {
  min: 1,
  max: 2,
});

/** Each is one, and there is one of a family at most. */
function addressesIn(
  { addresses = [] }: { readonly addresses?: readonly string[] },
  where: string,
): Result<void> {
  for (const [index, address] of addresses.entries()) {
    const at = { where: `${where}.addresses[${index}]` };
    if (isIP(address) === 0) return refuse('bad-input', 'not an address', at);
    if (addresses.slice(0, index).some((other) => isIP(other) === isIP(address)))
      return refuse('bad-input', 'one address of each family', at);
  }
  return ok(undefined);
}

const settingsMembers = object({
  image: imageDigest,
  /** Instead of what the image starts. */
  command: optional(commandWords),
  /** Beside the variables of the image. */
  env: optional(variables),
  /** It has a terminal, to which a console can attach; else only what it writes can be seen. */
  terminal: optional(flag),
  workdir: optional(insidePath),
  /** Instead of the image's user: numbers of the engine's own range, 0 being its root. */
  user: optional(text({ max: 11, pattern: /^\d{1,5}(:\d{1,5})?$/, form: 'UID or UID:GID in numbers' })),
  memory_mb: optional(
    whole({ min: limits.engine_memory_bytes_min / mib, max: limits.engine_memory_bytes_max / mib }),
  ),
  /** What it may write beside the folders that it mounts: its layer and its log together. Beyond that it is ended. */
  disk_mb: optional(
    whole({ min: limits.engine_disk_bytes_min / mib, max: limits.engine_disk_bytes_max / mib }),
  ),
  /** How far it may go by itself, when it asks for more over its own socket. */
  memory_most_mb: optional(
    whole({ min: limits.engine_memory_bytes_min / mib, max: limits.engine_memory_bytes_max / mib }),
  ),
  processor_thousandths: optional(
    whole({ min: limits.engine_processor_thousandths_min, max: limits.engine_processor_thousandths_max }),
  ),
  processes: optional(whole({ min: 1, max: limits.engine_processes_max })),
  /** Ports at which the engine is reached under the node's address. */
  ports: optional(list(object({ port, protocol: oneOf('tcp', 'udp') }), { max: limits.engine_parts_max })),
  /** Addresses of its own, of those that the machine keeps for engines: all that comes to them leads to it, and it speaks under them. One of each family. */
  addresses: optional(ownAddresses),
  /** Folders of the lease, each at a place inside: they outlive the engine, and others may mount them too. */
  mounts: optional(mounts),
  /** Files with what is in them, which every user of the engine reads and none changes. */
  files: optional(files),
  /** It takes messages from other engines, and may send some. */
  messages: optional(messages),
  /** Nothing can be written but to what is mounted and to /tmp. */
  readOnly: optional(flag),
  /** Started again when it ends: always, when it failed, or never. */
  restart: optional(oneOf('always', 'on-failure', 'never')),
  /** How it is found out whether it works. */
  probes: optional(list(probe, { max: limits.engine_probes_max })),
  /** What it may know of the level's secrets: files in /run/secrets, by these names. */
  secrets: optional(list(secretName, { max: limits.engine_parts_max })),
  /** What it is told of a secret that is replaced: on its own socket, by SIGHUP to its first process as well, or it is started again. */
  onSecret: optional(oneOf('tell', 'hangup', 'restart')),
  /** How long it is given to end when it is stopped. */
  grace_s: optional(grace),
});

export const engineSettings = described<typeof settingsMembers>(
  settingsMembers.about ?? '',
  Object.assign(
    (value: unknown, where: string): Result<Parsed<typeof settingsMembers>> => {
      const settings = settingsMembers(value, where);
      if (!settings.ok) return settings;
      const placed = placesOf(settings.value, where);
      const addressed = placed.ok ? addressesIn(settings.value, where) : placed;
      return addressed.ok ? settings : addressed;
    },
    { members: settingsMembers.members ?? {} },
  ),
);
export type EngineSettings = Parsed<typeof settingsMembers>;

/** How far an engine may go by itself: no further than its settings say. */
export function mostMemory_mb({
  memory_mb = engineDefaults.memory_mb,
  memory_most_mb = memory_mb,
}: Pick<EngineSettings, 'memory_mb' | 'memory_most_mb'>): number {
  return Math.max(memory_mb, memory_most_mb);
}

/** The ports of the node that lead to an engine: those that it serves, and the one for its messages. */
export function portsOf({ ports = [], messages: box }: Pick<EngineSettings, 'ports' | 'messages'>): readonly {
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
}[] {
  return box ? [...ports, { port: box.port, protocol: 'tcp' }] : ports;
}
