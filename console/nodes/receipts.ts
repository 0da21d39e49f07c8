import { limits } from '../../protocol/limits.js';
import type { Log } from '../../protocol/log.js';
import { identityOf, type NodeCard } from '../../protocol/node-card.js';
import { list, text, type Parse } from '../../protocol/parse.js';
import { verifyReceipt } from '../../protocol/receipt.js';

/** Receipts as a node gives them with what it did. */
export const receiptTexts: Parse<readonly string[]> = list(text({ max: limits.receipt_chars_max }), {
  max: limits.receipts_per_lease_max,
});

/** Keeps only what the identity key of the card has signed; the rest is worth nothing as evidence. */
export async function provenReceipts(
  receipts: readonly string[],
  card: NodeCard,
  log: Log,
): Promise<readonly string[]> {
  const identity = identityOf(card);
  if (!identity.ok) return [];
  const proven: string[] = [];
  for (const jws of receipts) {
    const receipt = await verifyReceipt(jws, identity.value);
    if (receipt.ok) proven.push(jws);
    else log.warn('receipt-refused', { node: card.name, code: receipt.refusal.code });
  }
  return proven;
}
