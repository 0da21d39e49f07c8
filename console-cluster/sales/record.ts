import { receiptTexts } from '../../console/nodes/receipts.js';
import { digestText, idText, nameText, publicJwk } from '../../protocol/fields.js';
import { limits } from '../../protocol/limits.js';
import { nodeCardForm } from '../../protocol/node-card.js';
import { list, object, oneOf, optional, text, whole, type Parsed } from '../../protocol/parse.js';
import { soldLeaseForm } from '../../protocol/sale.js';

export const saleStates = ['selling', 'passing', 'sold', 'refused'] as const;

/**
 * One sale of a node. Its name in the store is the id of the command that hands the node on, which is written down before it is sent:
 *
 *     selling ──the node's answer──▶ passing ──leases, inventory, clusters and the node itself are settled here──▶ sold
 *        └─────the node's refusal──▶ refused
 *
 * `selling` is sent again until something is known. The first answer dies with the keys of the level that asked; a node that is asked again says by its
 * receipts, sealed to this console, that it was handed on. `passing` is done again after a crash: each of its steps may be done twice.
 */
export const saleRecordForm = object({
  node: nameText,
  state: oneOf(...saleStates),
  /** How the node was addressed when it was sold. */
  card: nodeCardForm,
  /** The consoles of the buyer. */
  to: list(object({ key: publicJwk, name: nameText, role: oneOf('administrator') }), {
    min: 1,
    max: limits.consoles_per_level_max,
  }),
  /** Their thumbprints. */
  enrolled: list(digestText, { min: 1, max: limits.consoles_per_level_max }),
  below: oneOf('end', 'keep'),
  /** The leases that were named. */
  destroys: list(idText, { max: limits.levels_max }),
  /** From where the buyer's consoles reach the node. */
  consoles: optional(list(text({ max: 45 }), { min: 1, max: limits.console_ways_max })),
  /** What the node answered. */
  sold: optional(object({ receipts: receiptTexts, key: publicJwk })),
  /** Leases that go on. */
  leases: list(soldLeaseForm, { max: 1 }),
  trouble: optional(object({ code: nameText })),
  by: text({ max: 100 }),
  at: whole({ min: 0, max: 32_503_680_000_000 }),
});
export type SaleRecord = Parsed<typeof saleRecordForm>;
