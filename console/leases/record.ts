import { receiptTexts } from '../nodes/receipts.js';
import type { KeyStore } from '../store/port.js';
import { Records } from '../store/records.js';
import { rights } from '../../protocol/commands.js';
import { digestText, idText, nameText } from '../../protocol/fields.js';
import { nodeCardForm } from '../../protocol/node-card.js';
import { list, object, oneOf, optional, whole, type Parsed } from '../../protocol/parse.js';
import { ok, type Result } from '../../protocol/result.js';

/** What this console remembers of a lease that it took. */
export const takingForm = object({
  state: oneOf('taking', 'taken', 'ended'),
  /** The card with which the node was, or is, addressed. */
  card: nodeCardForm,
  facility: nameText,
  /** The id of the command, written down before it is sent: repeated, it acts once. */
  id: idText,
  until: whole({ min: 0, max: 32_503_680_000 }),
  rights: list(oneOf(...rights), { max: rights.length }),
  /** How the identity of the node became known here. */
  identity: oneOf('pinned', 'unverified'),
  /** Keys that are not of this console and could have spoken for the level before it was taken. */
  strangers: list(digestText, { max: 1000 }),
  /** What the node signed about it. */
  receipts: receiptTexts,
  /** Why the node refused the taking: it is not asked again by itself. */
  refused: optional(nameText),
  /** When this console learnt that it is over. */
  over_ms: optional(whole({ min: 0, max: 32_503_680_000_000 })),
});
export type Taking = Parsed<typeof takingForm>;

/** Under which its records lie in the store. */
export const takenPrefix = 'taken/';

/** A taking whose answer is missing: the node may have acted, and gives the answer again only to the key and the id that asked. */
export function isAsked({ state, refused, until }: Taking, now_ms: number): boolean {
  return state === 'taking' && refused === undefined && until * 1000 > now_ms;
}

/** The nodes whose answer to a taking is missing. */
export async function askedTakings(store: KeyStore, now_ms: number): Promise<Result<readonly string[]>> {
  const all = await new Records(store, takenPrefix, takingForm).all();
  if (!all.ok) return all;
  return ok(all.value.flatMap(({ value }) => (isAsked(value, now_ms) ? [value.card.name] : [])));
}
