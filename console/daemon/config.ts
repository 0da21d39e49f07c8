import { isIP } from 'node:net';
import { rsaBits } from '../../crypto/rsa.js';
import { digestText, nameText } from '../../protocol/fields.js';
import { parseJson } from '../../protocol/json.js';
import { list, object, optional, text, whole, type Parse, type Parsed } from '../../protocol/parse.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { readFileLimited } from './files.js';

export const address: Parse<string> = (value, where) =>
  typeof value === 'string' && isIP(value) !== 0
    ? ok(value)
    : refuse('bad-input', 'must be an IPv4 or IPv6 address', { where });
const port = whole({ min: 0, max: 65_535 });
const hostName = text({ max: 253, pattern: /^[a-z0-9.-]+$/, form: 'a host name in small letters' });

/** A store service: where it is, and the pin of its certificate. */
export const storeForm = object({
  url: text({ max: 300, pattern: /^wss:\/\/[^/#]+$/, form: 'wss://HOST:PORT' }),
  pin: digestText,
});

/** `console.json` of a console. */
export const configForm = object({
  v: whole({ min: 1, max: 1 }),
  /** The name of this console, as nodes and people see it. */
  name: nameText,
  api: object({
    host: address,
    /** 0 lets the system choose; the daemon says which in running.json. */
    port,
    /** Names under which browsers reach it. */
    names: list(hostName, { max: 16 }),
  }),
  /** Where nodes and remote consoles dial in; absent, there is no gateway. */
  gateway: optional(object({ host: address, port })),
  /** Where addresses are given to nodes: this machine's interface, and its own address there. Absent, none are given. */
  dhcp: optional(
    object({
      interface: text({ max: 15, pattern: /^[A-Za-z0-9._@-]+$/, form: 'the name of an interface' }),
      address,
    }),
  ),
  /** Where the store is that several consoles share, one working and the others standing by; absent, it is a folder here. */
  store: optional(storeForm),
  /** Tells the consoles apart that share a store; without it, the name of this machine. */
  instance: optional(nameText),
  /** The fewest bits of RSA that a node's keys must have; absent, what every node has. */
  nodeKeyBits: optional(whole({ min: rsaBits.min, max: rsaBits.max })),
  /** How often a node is asked for its status. */
  askEvery_ms: whole({ min: 100, max: 3_600_000 }),
  /** An answer that takes longer is late. */
  answerWithin_ms: optional(whole({ min: 10, max: 3_600_000 })),
  /** Nothing heard for so long: the node is silent. */
  late_ms: whole({ min: 200, max: 3_600_000 }),
  /** Nothing heard for so long: the node is unknown. */
  unknown_ms: whole({ min: 200, max: 86_400_000 }),
});
export type ConsoleConfig = Parsed<typeof configForm>;

/** For a configuration that does not say it: sealed there and back over the slowest ordinary way. */
export const answerWithinDefault_ms = 2000;

export function isLoopback(host: string): boolean {
  return host === '::1' || host.startsWith('127.');
}

export function readConfig(path: string): Result<ConsoleConfig> {
  const content = readFileLimited(path);
  if (!content.ok) return content;
  const json = parseJson(content.value);
  if (!json.ok) return json;
  const config = configForm(json.value, 'console.json');
  if (!config.ok) return config;
  if (config.value.late_ms <= config.value.askEvery_ms || config.value.unknown_ms <= config.value.late_ms)
    return refuse('bad-input', 'must rise: askEvery_ms, late_ms, unknown_ms', { where: 'console.json' });
  return config;
}
