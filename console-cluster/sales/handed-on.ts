import type { NodeBook } from '../../console/nodes/book.js';
import type { Pair } from '../../crypto/rsa.js';
import type { Command } from '../../protocol/commands.js';
import { limits } from '../../protocol/limits.js';
import { identityOf, type NodeCard } from '../../protocol/node-card.js';
import { list, text } from '../../protocol/parse.js';
import type { Reply } from '../../protocol/reply.js';
import type { Refusal, Result } from '../../protocol/result.js';
import { openSold, type Sold } from '../../protocol/sold.js';

const proofsForm = list(text({ max: limits.sold_chars_max }), { max: 2 });

/** One command in a conversation of its own: that which the book keeps with a node ends when the node has another landlord. */
export async function askOnce(
  nodes: NodeBook,
  name: string,
  command: Command,
  jti?: string,
): Promise<Result<Reply>> {
  const own = await nodes.ownSession(name);
  if (!own.ok) return own;
  const { session, to } = own.value;
  const reply = await session.request({ to, command, ...(jti === undefined ? {} : { jti }) });
  session.close('said');
  return reply;
}

/** Does a refusal prove that the level of this card was handed on? The code alone proves nothing: anybody on the way could say it. */
export async function handedOn(pair: Pair, card: NodeCard, refusal: Refusal): Promise<Sold | undefined> {
  const proofs = proofsForm(refusal.code === 'node-sold' ? (refusal.data?.['proofs'] ?? []) : [], 'proofs');
  const identity = identityOf(card);
  if (!proofs.ok || !identity.ok) return undefined;
  for (const proof of proofs.value) {
    const sold = await openSold(pair, identity.value, proof, card.lease);
    if (sold.ok) return sold.value;
  }
  return undefined;
}
