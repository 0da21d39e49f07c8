import { hardwareForm } from '../../protocol/hardware.js';
import { digestText, nameText } from '../../protocol/fields.js';
import { limits } from '../../protocol/limits.js';
import { flag, list, object, oneOf, optional, text, whole, type Parsed } from '../../protocol/parse.js';

const label = text({ max: 64, pattern: /^\P{Cc}+$/u, form: 'a text on one line' });
const statement = text({ max: limits.pairing_statement_chars_max });

/** What a facility knows of a node beside its card: where it stands, what it is made of, how it came. */
export const inventoryForm = object({
  room: optional(label),
  rack: optional(label),
  position: optional(label),
  /** Kept ready to stand in for another. */
  spare: flag,
  /** What the machine said of itself when it was adopted. */
  hardware: optional(hardwareForm),
  /** What both sides said for good when it was adopted. */
  adopted: optional(
    object({
      at: whole({ min: 0, max: 32_503_680_000_000 }),
      by: text({ max: 100 }),
      identity: digestText,
      console: statement,
      machine: statement,
    }),
  ),
  /** What the node signed when it was retired or sold, and who did that. */
  retired: optional(
    object({
      at: whole({ min: 0, max: 32_503_680_000_000 }),
      by: text({ max: 100 }),
      identity: digestText,
      /** Whom it was sold to; absent: nobody commands it any more. */
      soldTo: optional(text({ max: 100 })),
      receipts: list(text({ max: limits.receipt_chars_max }), { max: limits.receipts_per_lease_max }),
    }),
  ),
  /** From whom it was bought, and what the node signed of that. */
  bought: optional(
    object({
      at: whole({ min: 0, max: 32_503_680_000_000 }),
      by: text({ max: 100 }),
      from: nameText,
      /** How the identity of the node became known here. */
      identity: oneOf('pinned', 'unverified'),
      receipts: list(text({ max: limits.receipt_chars_max }), { max: limits.receipts_per_lease_max }),
    }),
  ),
  name: nameText,
});
export type InventoryRecord = Parsed<typeof inventoryForm>;
