import { rights } from '../../protocol/commands.js';
import { digestText, idText } from '../../protocol/fields.js';
import { parseJson } from '../../protocol/json.js';
import { limits } from '../../protocol/limits.js';
import {
  flag,
  list,
  object,
  oneOf,
  opaqueObject,
  optional,
  text,
  whole,
  type Parsed,
} from '../../protocol/parse.js';
import type { Result } from '../../protocol/result.js';

const longText = text({ min: 0, max: 2000 });
const moment = whole({ min: 0, max: 32_503_680_000 });

const leaseStatus = oneOf('granted', 'active', 'dark');
const count = whole({ min: 0, max: Number.MAX_SAFE_INTEGER });

const chainLink = object({
  level: count,
  lease: idText,
  status: leaseStatus,
  rights: list(oneOf(...rights), { max: rights.length }),
  /** `destroyedAt`: when its keys are destroyed, should nobody extend it. */
  term: optional(object({ until: moment, destroyAfter: count, destroyedAt: moment })),
  consoles: count,
  receipts: count,
  pair: digestText,
  /** The pair before, until the answer of the command that replaced it has arrived. */
  previous: optional(digestText),
  symmetric: optional(object({ id: idText, shared: flag, open: flag })),
  /** Is what the level stores open just now? */
  open: flag,
});
export type ChainLink = Parsed<typeof chainLink>;

const statusForm = object({
  name: longText,
  node: longText,
  boot: longText,
  version: longText,
  pid: whole({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  started: moment,
  uptime: whole({ min: 0, max: 32_503_680_000 }),
  /** What the probes of the machine found, by subject. */
  health: optional(opaqueObject),
  listening: longText,
  keyStore: oneOf('tpm', 'file'),
  measured: optional(digestText),
  /** How the files of levels are encrypted. */
  files: longText,
  kernel: longText,
  warnings: list(longText, { max: 64 }),
  filters: object({
    enforced: oneOf('yes', 'no', 'unknown'),
    since: optional(moment),
    readBack: optional(moment),
    elementsReadBack: optional(moment),
    differed: optional(object({ at: moment, what: list(longText, { max: 16 }) })),
    detail: optional(longText),
  }),
  quarantine: flag,
  levels: list(leaseStatus, { max: limits.levels_max }),
  chain: list(chainLink, { max: limits.levels_max }),
  sparePairs: whole({ min: 0, max: 1000 }),
  undone: list(longText, { max: 256 }),
  clockAhead: optional(moment),
  fault: optional(longText),
});
export type LocalStatus = Parsed<typeof statusForm>;

/** What the daemon of a folder says of itself, held to its form. */
export async function askLocal(folder: string): Promise<Result<LocalStatus>> {
  const { localStatus } = await import('../local.js');
  const read = await localStatus(folder);
  const json = read.ok ? parseJson(read.value) : read;
  return json.ok ? statusForm(json.value, '') : json;
}
