import { limits } from '../../protocol/limits.js';
import { ok } from '../../protocol/result.js';
import { route, type Route } from '../api/route.js';
import { list, name, nullable, object, opaque, optional, text, whole } from '../api/shape.js';
import type { NodeBook } from '../nodes/book.js';
import { filtersAbove } from './fit.js';
import { addressesIn } from './push.js';

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
      method: 'GET',
      path: '/api/v1/nodes/{name}/filters/above',
      summary:
        'What the levels above let through together, as a set without names and notes; null for the landlord',
      role: 'view',
      params: named,
      reply: object({
        set: nullable(opaque('a filter set')),
        addresses: list(text({ max: 100 }), { max: 64 }),
      }),
      async handle({ params }) {
        const above = await filtersAbove(book, params.name);
        if (!above.ok) return above;
        const known = book.get(params.name);
        const addresses = known.ok ? (addressesIn(known.value) ?? []) : [];
        return ok({ set: above.value ? { ...above.value } : null, addresses });
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
        const way = body.confirmWithin === undefined ? undefined : book.wayTo(params.name);
        const command = { type: 'filters.replace', ...body, ...(way ? { way } : {}) } as const;
        const reply = await book.request(params.name, command);
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
