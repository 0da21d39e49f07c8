import { route, type Route } from '../../console/api/route.js';
import { flag, name, object, oneOf, opaque, optional, text, whole } from '../../console/api/shape.js';
import type { NodeBook } from '../../console/nodes/book.js';
import { powerActs } from '../../protocol/power.js';
import { limits } from '../../protocol/limits.js';
import { ok } from '../../protocol/result.js';

/** Power and light of a node, by the node itself: sealed to it, and told by it to every level. */
export function hardwareRoutes(book: NodeBook): Route[] {
  const named = object({ name });
  const answer = opaque('what the node answered: the id of the job, and when it happens');
  return [
    route({
      method: 'POST',
      path: '/api/v1/nodes/{name}/power',
      summary: 'Reboot a node, switch it off or let it sleep, after its engines had time to stop',
      role: 'operate',
      params: named,
      body: object({
        act: oneOf(...powerActs),
        drain: optional(whole({ min: 0, max: limits.drain_s_max })),
        reason: optional(text({ max: limits.note_chars_max })),
      }),
      reply: answer,
      async handle({ params, body: { act, ...how } }) {
        const reply = await book.request(params.name, { type: `hardware.${act}`, ...how });
        return reply.ok ? ok(reply.value.result ?? {}) : reply;
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/nodes/{name}/light',
      summary: 'Switch the light by which a node is found, for a time',
      role: 'operate',
      params: named,
      body: object({ on: flag, seconds: optional(whole({ min: 1, max: limits.identify_s_max })) }),
      reply: answer,
      async handle({ params, body }) {
        const reply = await book.request(params.name, { type: 'hardware.identify', ...body });
        return reply.ok ? ok(reply.value.result ?? {}) : reply;
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/nodes/{name}/health',
      summary:
        'How the machine of a node is: processors, memory, disks, network, buses, power and fans, clock',
      role: 'view',
      params: named,
      reply: opaque('what `health.read` gave'),
      async handle({ params }) {
        const reply = await book.request(params.name, { type: 'health.read' });
        return reply.ok ? ok(reply.value.result ?? {}) : reply;
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/nodes/{name}/jobs',
      summary: 'The long commands of a node: how far they came, and how they ended',
      role: 'view',
      params: named,
      reply: opaque('what `jobs.read` gave'),
      async handle({ params }) {
        const reply = await book.request(params.name, { type: 'jobs.read' });
        return reply.ok ? ok(reply.value.result ?? {}) : reply;
      },
    }),
  ];
}
