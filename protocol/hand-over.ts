import { rights } from './commands.js';
import { digestText, nameText } from './fields.js';
import { parseJson } from './json.js';
import { limits } from './limits.js';
import { nodeCardForm, wayForm } from './node-card.js';
import { list, object, oneOf, whole, type Parsed } from './parse.js';
import type { Result } from './result.js';

/**
 * What the landlord gives a customer: how to reach and address each node that is leased to it. All of it is public, and
 * none of it is believed: the node itself answers only to the keys it has, and its identity is pinned from elsewhere.
 */
export const handOverForm = object({
  v: whole({ min: 1, max: 1 }),
  kind: oneOf('hand-over'),
  /** The console of the landlord that wrote it. */
  facility: nameText,
  customer: nameText,
  /** Thumbprints of the keys that were enrolled. */
  to: list(digestText, { min: 1, max: limits.consoles_per_level_max }),
  /** Gateways through which the nodes can be reached from outside the facility. */
  gateways: list(wayForm, { max: 8 }),
  leases: list(
    object({
      card: nodeCardForm,
      rights: list(oneOf(...rights), { min: 1, max: rights.length }),
      until: whole({ min: 0, max: 32_503_680_000 }),
    }),
    { min: 1, max: limits.leases_per_hand_over_max },
  ),
});
export type HandOver = Parsed<typeof handOverForm>;

export function parseHandOver(content: string | Uint8Array): Result<HandOver> {
  const json = parseJson(content);
  return json.ok ? handOverForm(json.value, '') : json;
}
