import { limits } from '../../protocol/limits.js';
import { ok } from '../../protocol/result.js';
import { route, type Route } from '../api/route.js';
import { name, object, opaque, optional, whole } from '../api/shape.js';
import type { NodeBook } from '../nodes/book.js';

const named = object({ name });
const version = whole({ min: 0, max: Number.MAX_SAFE_INTEGER });
const answer = opaque('the node’s answer');

/** The filters of this console's level on a node: the boundary for the landlord, the sub-boundary for everyone else. */
export function filterRoutes(book: NodeBook): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/nodes/{name}/filters',
      summary: 'The filters of the own level, as they stand on the node',
      role: 'view',
      params: named,
      reply: answer,
      async handle({ params }) {
        const reply = await book.request(params.name, { type: 'filters.read' });
        return reply.ok ? ok(reply.value.result ?? {}) : reply;
      },
    }),
    route({
      method: 'PUT',
      path: '/api/v1/nodes/{name}/filters',
      summary: 'Replace the filters of the own level whole',
      role: 'operate',
      params: named,
      body: object({
        set: opaque('a filter set, see docs/filters.md'),
        names: optional(opaque('what the names in it stand for')),
        expect: version,
        confirmWithin: optional(whole({ min: 1, max: limits.confirm_s_max })),
      }),
      reply: answer,
      async handle({ params, body }) {
        const reply = await book.request(params.name, { type: 'filters.replace', ...body });
        return reply.ok ? ok(reply.value.result ?? {}) : reply;
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/nodes/{name}/filters/confirm',
      summary: 'Keep a change that would otherwise be undone',
      role: 'operate',
      params: named,
      body: object({ version }),
      reply: answer,
      async handle({ params, body }) {
        const reply = await book.request(params.name, { type: 'filters.confirm', version: body.version });
        return reply.ok ? ok(reply.value.result ?? {}) : reply;
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/nodes/{name}/filters/undo',
      summary: 'Put back what stood before a change that waits for its confirmation',
      role: 'operate',
      params: named,
      body: object({ version }),
      reply: answer,
      async handle({ params, body }) {
        const reply = await book.request(params.name, { type: 'filters.undo', version: body.version });
        return reply.ok ? ok(reply.value.result ?? {}) : reply;
      },
    }),
  ];
}
