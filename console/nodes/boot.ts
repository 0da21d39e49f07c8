import type { PublicKey } from '../../crypto/rsa.js';
import { identityOf, type NodeCard } from '../../protocol/node-card.js';
import { refuse, type Result } from '../../protocol/result.js';
import { verifyBoot } from '../../protocol/unlock.js';
import type { NodeBook } from './book.js';

/** The pair of this start of a node, for which its identity key vouches: what must never be opened later is sealed to it. */
export async function bootOf(book: NodeBook, card: NodeCard): Promise<Result<PublicKey>> {
  const identity = identityOf(card);
  if (!identity.ok) return identity;
  const said = await book.request(card.name, { type: 'keys.boot' });
  if (!said.ok) return said;
  const { statement, boot } = said.value.result ?? {};
  return typeof statement === 'string' && typeof boot === 'string'
    ? verifyBoot(statement, identity.value, boot)
    : refuse('malformed', 'no statement of a start');
}
