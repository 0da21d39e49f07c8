import { route, type Route } from '../../console/api/route.js';
import { flag, list, object, oneOf, text, type Shape } from '../../console/api/shape.js';
import type { ConsoleParts } from '../../console/daemon/daemon.js';
import { rights } from '../../protocol/commands.js';
import { idText, publicJwk } from '../../protocol/fields.js';
import { nodeCardForm, type NodeCard } from '../../protocol/node-card.js';
import * as p from '../../protocol/parse.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { digestText } from '../../protocol/fields.js';

const nodeCard: Shape<NodeCard> = {
  parse: nodeCardForm,
  schema: { type: 'object', description: 'the card that the landlord handed over' },
};

/** What a node says when its lease is taken. */
const taken = p.object({
  lease: idText,
  pair: p.object({ id: digestText, jwk: publicJwk }),
  symmetric: p.optional(idText),
  everEnrolled: p.list(digestText, { max: 10_000 }),
  rights: p.list(p.oneOf(...rights), { max: rights.length }),
});

const takenView = object({
  node: text({ max: 63 }),
  lease: text({ max: 22 }),
  rights: list(oneOf(...rights), { max: rights.length }),
  /** Only keys of this console were ever enrolled in the lease. */
  nobodyElse: flag,
  /** The identity of the node was compared with something that did not come with the card. */
  identityVerified: flag,
});

/** Takes a lease in one step: a new pair, a key of its own, and this console as the only one enrolled. */
export function takeRoutes(parts: ConsoleParts): readonly Route[] {
  return [
    route({
      method: 'POST',
      path: '/api/v1/leases',
      summary: 'Take a lease by the card that the landlord handed over',
      role: 'administer',
      body: object({
        card: nodeCard,
        identity: text({ min: 0, max: 43, about: 'the node’s identity, from its label' }),
      }),
      reply: takenView,
      handle: ({ body }) => take(parts, body.card, body.identity),
    }),
  ];
}

async function take({ book, pair, config }: ConsoleParts, card: NodeCard, identity: string) {
  const added = await book.add(card);
  if (!added.ok) return added;
  if (identity !== '' && identity !== added.value.id) {
    await book.remove(card.name);
    return refuse('wrong-node', `the card is of ${added.value.id}, the label says ${identity}`);
  }
  const reached = await book.reached(card.name);
  if (!reached.ok) return undone(book, card.name, reached);
  const roster = [{ key: pair.public.jwk, name: config.name, role: 'administrator' as const }];
  const reply = await book.request(card.name, { type: 'lease.take', roster, key: true });
  if (!reply.ok) return undone(book, card.name, reply);
  const said = taken(reply.value.result, 'reply.result');
  if (!said.ok) return said;
  const replaced = await book.replace({ ...card, key: said.value.pair.jwk });
  if (!replaced.ok) return replaced;
  return ok({
    node: card.name,
    lease: said.value.lease,
    rights: said.value.rights,
    nobodyElse: said.value.everEnrolled.every((key) => key === pair.public.id),
    identityVerified: identity !== '',
  });
}

async function undone(
  book: ConsoleParts['book'],
  name: string,
  refused: Exclude<Result<unknown>, { ok: true }>,
): Promise<Exclude<Result<unknown>, { ok: true }>> {
  await book.remove(name);
  return refused;
}
