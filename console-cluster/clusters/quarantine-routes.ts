import { route, type Route } from '../../console/api/route.js';
import { flag, list, name, object, opaque, optional, text, whole } from '../../console/api/shape.js';
import type { NodeBook } from '../../console/nodes/book.js';
import { limits } from '../../protocol/limits.js';
import { ok } from '../../protocol/result.js';

/** Closing a node to everybody but its consoles, and opening it again; and which addresses those consoles have. */
export function quarantineRoutes(book: NodeBook): readonly Route[] {
  return [
    route({
      method: 'PUT',
      path: '/api/v1/nodes/{name}/quarantine',
      summary: 'Close a node to everybody but its consoles, or lift that again',
      role: 'operate',
      params: object({ name }),
      body: object({ on: flag, reason: optional(text({ max: limits.note_chars_max })) }),
      reply: opaque('the node’s answer'),
      async handle({ params, body }) {
        const reply = await book.request(params.name, { type: 'quarantine', ...body });
        return reply.ok ? ok(reply.value.result ?? {}) : reply;
      },
    }),
    route({
      method: 'PUT',
      path: '/api/v1/nodes/{name}/ways',
      summary:
        'Say from which addresses consoles reach a node whatever filters say; undone unless it is confirmed',
      role: 'administer',
      params: object({ name }),
      body: object({
        consoles: list(text({ max: 45 }), { min: 1, max: limits.console_ways_max }),
        confirmWithin: whole({ min: 1, max: limits.confirm_s_max }),
      }),
      reply: opaque('the node’s answer'),
      async handle({ params, body }) {
        const reply = await book.request(params.name, { type: 'ways.set', ...body });
        return reply.ok ? ok(reply.value.result ?? {}) : reply;
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/nodes/{name}/ways/confirm',
      summary: 'Keep the ways that were set',
      role: 'administer',
      params: object({ name }),
      reply: opaque('the node’s answer'),
      async handle({ params }) {
        const reply = await book.request(params.name, { type: 'ways.confirm' });
        return reply.ok ? ok(reply.value.result ?? {}) : reply;
      },
    }),
  ];
}
