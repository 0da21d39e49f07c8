import { route, type Route } from '../../console/api/route.js';
import { flag, name, object, opaque, optional, text } from '../../console/api/shape.js';
import type { NodeBook } from '../../console/nodes/book.js';
import { limits } from '../../protocol/limits.js';
import { ok } from '../../protocol/result.js';

/** Closing a node to everybody but its consoles, and opening it again. */
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
  ];
}
