import { rights, roles } from './commands.js';
import { digestText, idText, nameText, publicJwk } from './fields.js';
import { limits } from './limits.js';
import { nodeCardForm } from './node-card.js';
import { list, object, oneOf, optional, text, whole, type Parsed } from './parse.js';

const moment_s = whole({ min: 0, max: 32_503_680_000 });

/** A lease that goes on under the new landlord, so that it can be extended and ended there. */
export const soldLeaseForm = object({
  customer: nameText,
  to: list(object({ key: publicJwk, name: nameText, role: oneOf(...roles) }), {
    min: 1,
    max: limits.consoles_per_level_max,
  }),
  lease: idText,
  key: publicJwk,
  rights: list(oneOf(...rights), { min: 1, max: rights.length }),
  until: moment_s,
  destroyAfter: whole({ min: 0, max: limits.destroy_after_s_max }),
});
export type SoldLease = Parsed<typeof soldLeaseForm>;

/**
 * What the landlord that sells a node gives the one that buys it. All of it is public, and none of it is believed: that the node changed hands, and
 * under which key it listens now, the node itself signs. Where its answer to the sale is missing, the node gives the buyer the same by itself.
 */
export const saleForm = object({
  v: whole({ min: 1, max: 1 }),
  kind: oneOf('sale'),
  /** The console of the landlord that sells. */
  facility: nameText,
  /** Thumbprints of the keys that the node obeys from then on; the first is the holder whom tenants agreed to. */
  to: list(digestText, { min: 1, max: limits.consoles_per_level_max }),
  /** The node as the seller addressed it. */
  card: nodeCardForm,
  /** What the node answered: absent as long as it has not. */
  sold: optional(
    object({
      receipts: list(text({ max: limits.receipt_chars_max }), { max: limits.levels_max + 1 }),
      key: publicJwk,
    }),
  ),
  leases: list(soldLeaseForm, { max: 1 }),
});
export type Sale = Parsed<typeof saleForm>;
