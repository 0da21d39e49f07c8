import { limits } from '../../protocol/limits.js';
import { ok } from '../../protocol/result.js';
import { route, type Route } from '../api/route.js';
import { list, name, object, opaque, optional, whole } from '../api/shape.js';
import type { NodeBook } from '../nodes/book.js';

const named = object({ name });
const index = whole({ min: 0, max: limits.filters_per_set_max });
const answer = opaque('the node’s answer');

/** Single filters that come and go, and what the node's kernel says of those that stand. */
export function filterActRoutes(book: NodeBook): readonly Route[] {
  return [
    route({
      method: 'POST',
      path: '/api/v1/nodes/{name}/filters/change',
      summary: 'Add and remove single filters of the own level',
      role: 'operate',
      params: named,
      body: object({
        expect: whole({ min: 0, max: Number.MAX_SAFE_INTEGER }),
        add: list(opaque('a filter, see docs/filters.md'), { max: limits.filters_per_change_max }),
        remove: list(index, { max: limits.filters_per_change_max }),
        names: optional(opaque('what all names in the set stand for; without it, what they stood for')),
        confirmWithin: optional(whole({ min: 1, max: limits.confirm_s_max })),
      }),
      reply: answer,
      async handle({ params, body }) {
        const way = body.confirmWithin === undefined ? undefined : book.wayTo(params.name);
        const command = { type: 'filters.change', ...body, ...(way ? { way } : {}) } as const;
        const reply = await book.request(params.name, command);
        return reply.ok ? ok(reply.value.result ?? {}) : reply;
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/nodes/{name}/filters/counters',
      summary: 'What the kernel counted of each filter of the own level, and what it refused',
      role: 'view',
      params: named,
      reply: answer,
      async handle({ params }) {
        const reply = await book.request(params.name, { type: 'filters.counters' });
        return reply.ok ? ok(reply.value.result ?? {}) : reply;
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/nodes/{name}/filters/probe',
      summary: 'Let the node send packets that should be refused, and say whether they were',
      role: 'operate',
      params: named,
      reply: answer,
      async handle({ params }) {
        const reply = await book.request(params.name, { type: 'filters.probe' });
        return reply.ok ? ok(reply.value.result ?? {}) : reply;
      },
    }),
  ];
}
