import { receiptTexts } from '../nodes/receipts.js';
import { rights } from '../../protocol/commands.js';
import { digestText, idText, nameText, publicJwk } from '../../protocol/fields.js';
import { limits } from '../../protocol/limits.js';
import { list, object, oneOf, optional, whole, type Parsed } from '../../protocol/parse.js';

export const leaseStates = [
  'granting',
  'granted',
  'refused',
  'ending',
  'replacing',
  'ended',
  'passed',
] as const;

const moment_s = whole({ min: 0, max: 32_503_680_000 });

/**
 * One lease, from the decision to its end. Its name in the store is the id of the command that grants it, which is written
 * down before the command is sent:
 *
 *     granting ──the node's answer──▶ granted ──end asked──▶ ending ──the node's answer──▶ ended
 *         │                           │ new pair asked
 *         │                           └──▶ replacing ──the node's answer──▶ ended, and in the same write the one in its place: granted
 *         └────────the node's refusal──▶ refused
 *
 * A lease of a node that is sold ends with that, or goes on under the new landlord: `passed`, over for this one.
 *
 * `granting`, `ending` and `replacing` are sent again with the same id until the node answers, also after a crash: the node acts once
 * and gives the same answer again.
 */
export const leaseForm = object({
  node: nameText,
  customer: nameText,
  state: oneOf(...leaseStates),
  to: list(
    object({ key: publicJwk, name: nameText, role: oneOf('administrator', 'operator', 'developer') }),
    {
      min: 1,
      max: limits.consoles_per_level_max,
    },
  ),
  rights: list(oneOf(...rights), { min: 1, max: rights.length }),
  until: moment_s,
  destroyAfter: whole({ min: 0, max: limits.destroy_after_s_max }),
  /** What the node answered: the id of the lease and the U of its level. */
  lease: optional(idText),
  level: optional(whole({ min: 1, max: limits.levels_max - 1 })),
  key: optional(publicJwk),
  /** Why the node refused, or the last attempt failed. */
  trouble: optional(object({ code: nameText })),
  /** The id of the command that ends it; where that puts another in its place, the name of that one too. */
  endId: optional(idText),
  /** The leases that were named for a new pair to destroy: this one and all below it. */
  destroys: optional(list(idText, { max: limits.levels_max })),
  endedAt: optional(whole({ min: 0, max: 32_503_680_000_000 })),
  /** What the node signed about it. */
  receipts: receiptTexts,
  /** Thumbprints of the consoles that were enrolled. */
  enrolled: list(digestText, { min: 1, max: limits.consoles_per_level_max }),
});
export type Lease = Parsed<typeof leaseForm>;
