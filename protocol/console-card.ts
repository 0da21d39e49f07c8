import { publicKeyFromJwk, type PublicKey } from '../crypto/rsa.js';
import { nameText, publicJwk } from './fields.js';
import { parseJson } from './json.js';
import { object, oneOf, whole, type Parsed } from './parse.js';
import { ok, refuse, type Result } from './result.js';

/** The public half of a console's key, as it is given to whoever enrolls it. Compare its thumbprint by another way. */
export const consoleCardForm = object({
  v: whole({ min: 1, max: 1 }),
  kind: oneOf('console-card'),
  name: nameText,
  key: publicJwk,
});
export type ConsoleCard = Parsed<typeof consoleCardForm>;

export function parseConsoleCard(
  content: string | Uint8Array,
): Result<{ readonly card: ConsoleCard; readonly key: PublicKey }> {
  const json = parseJson(content);
  if (!json.ok) return json;
  const card = consoleCardForm(json.value, '');
  if (!card.ok) return card;
  const key = publicKeyFromJwk(card.value.key);
  return key ? ok({ card: card.value, key }) : refuse('weak-key', 'the key of the card');
}
