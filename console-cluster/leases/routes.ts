import { route, type Route } from '../../console/api/route.js';
import { list, name, object, oneOf, opaque, optional, whole, type Shape } from '../../console/api/shape.js';
import type { NodeBook } from '../../console/nodes/book.js';
import { rights } from '../../protocol/commands.js';
import { consoleCardForm, type ConsoleCard } from '../../protocol/console-card.js';
import { idText, publicJwk } from '../../protocol/fields.js';
import { limits } from '../../protocol/limits.js';
import { nodeCardForm, type NodeCard } from '../../protocol/node-card.js';
import * as p from '../../protocol/parse.js';
import { ok } from '../../protocol/result.js';

const named = object({ name });
const lease: Shape<string> = { parse: idText, schema: { type: 'string', description: 'the id of a lease' } };
const seconds = whole({ min: 0, max: 32_503_680_000, about: 'seconds since 1970' });
const consoleCard: Shape<ConsoleCard> = {
  parse: consoleCardForm,
  schema: { type: 'object', description: 'a console card, as written by `console-app init`' },
};
const nodeCard: Shape<NodeCard> = {
  parse: nodeCardForm,
  schema: { type: 'object', description: 'what the new holder’s console takes in' },
};
const answer = opaque('the node’s answer');

/** What a node says of a lease that it granted. */
const granted = p.object({
  lease: idText,
  level: p.whole({ min: 1, max: limits.levels_max - 1 }),
  pair: p.object({ id: p.text({ max: 43 }), jwk: publicJwk }),
});

/** Leases of nodes to the level below: granted, extended, ended. */
export function leaseRoutes(book: NodeBook): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/nodes/{name}/leases',
      summary: 'The chain of levels on a node, as far as this console may see it',
      role: 'view',
      params: named,
      reply: answer,
      async handle({ params }) {
        const reply = await book.request(params.name, { type: 'levels.read' });
        return reply.ok ? ok(reply.value.result ?? {}) : reply;
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/nodes/{name}/leases',
      summary: 'Lease a node; the answer is the card to hand over',
      role: 'administer',
      params: named,
      body: object({
        to: list(consoleCard, { min: 1, max: limits.consoles_per_level_max }),
        rights: list(oneOf(...rights), { min: 1, max: rights.length }),
        until: seconds,
        destroyAfter: optional(whole({ min: 0, max: limits.destroy_after_s_max })),
      }),
      reply: nodeCard,
      async handle({ params, body }) {
        const node = book.get(params.name);
        if (!node.ok) return node;
        const to = body.to.map((card) => ({
          name: card.name,
          key: card.key,
          role: 'administrator' as const,
        }));
        const reply = await book.request(params.name, { type: 'lease.grant', ...body, to });
        if (!reply.ok) return reply;
        const said = granted(reply.value.result, 'reply.result');
        if (!said.ok) return said;
        const { level, pair } = said.value;
        return ok({ ...node.value.card, level, lease: said.value.lease, key: pair.jwk });
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/nodes/{name}/leases/{lease}/extend',
      summary: 'Move the end of a lease',
      role: 'administer',
      params: object({ name, lease }),
      body: object({ until: seconds }),
      reply: answer,
      async handle({ params, body }) {
        const reply = await book.request(params.name, {
          type: 'lease.extend',
          lease: params.lease,
          until: body.until,
        });
        return reply.ok ? ok(reply.value.result ?? {}) : reply;
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/nodes/{name}/leases/{lease}',
      summary: 'End a lease at once, and all below it; its keys are destroyed, and with them its data',
      role: 'administer',
      params: object({ name, lease }),
      reply: answer,
      async handle({ params }) {
        const reply = await book.request(params.name, { type: 'lease.end', lease: params.lease });
        return reply.ok ? ok(reply.value.result ?? {}) : reply;
      },
    }),
  ];
}
