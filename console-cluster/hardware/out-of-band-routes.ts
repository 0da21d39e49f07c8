import { route, type Route } from '../../console/api/route.js';
import { name, nullable, object, oneOf, optional, text, whole } from '../../console/api/shape.js';
import type { NodeBook } from '../../console/nodes/book.js';
import { Secret } from '../../crypto/secret.js';
import { ok, type Result } from '../../protocol/result.js';
import type { Controllers, OutOfBand } from './controllers.js';
import { outOfBandActs } from './ipmi.js';

const address = text({ max: 45, pattern: /^[0-9a-fA-F:.]+$/, form: 'an IPv4 or IPv6 address' });
const reached = {
  host: address,
  port: whole({ min: 1, max: 65_535 }),
  user: text({ max: 16 }),
  cipherSuite: optional(whole({ min: 0, max: 255 })),
};
const wakeShape = object({
  mac: text({ max: 17, pattern: /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/, form: 'a hardware address' }),
  broadcast: address,
});
const view = object({ controller: nullable(object(reached)), wake: nullable(wakeShape) });

/** The password is never shown again. */
function viewOf({ controller, wake }: OutOfBand): Parameters<typeof view.parse>[0] {
  if (!controller) return { controller: null, wake: wake ?? null };
  const { sealed: _, ...shown } = controller;
  return { controller: shown, wake: wake ?? null };
}

/** Power without the help of the machine's own system. */
export function outOfBandRoutes(controllers: Controllers, book: NodeBook): Route[] {
  const named = object({ name });
  const there = (node: string): Result<unknown> => book.get(node);
  return [
    route({
      method: 'GET',
      path: '/api/v1/nodes/{name}/controller',
      summary: 'How a machine is reached out of band; never the password',
      role: 'view',
      params: named,
      reply: view,
      async handle({ params }) {
        const found = await controllers.get(params.name);
        return found.ok ? ok(viewOf(found.value) as never) : found;
      },
    }),
    route({
      method: 'PUT',
      path: '/api/v1/nodes/{name}/controller',
      summary: 'Say how a machine is reached out of band; the password is sealed in the vault',
      role: 'administer',
      params: named,
      body: object({
        controller: optional(object({ ...reached, password: text({ max: 20 }) })),
        wake: optional(wakeShape),
      }),
      reply: view,
      async handle({ params, body: { controller, wake } }) {
        const known = there(params.name);
        if (!known.ok) return known;
        const set = await controllers.set(params.name, {
          ...(controller
            ? { controller: { ...controller, password: Secret.take(Buffer.from(controller.password)) } }
            : {}),
          ...(wake ? { wake } : {}),
        });
        return set.ok ? ok(viewOf(set.value) as never) : set;
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/nodes/{name}/controller',
      summary: 'Forget how a machine is reached out of band',
      role: 'administer',
      params: named,
      reply: object({}),
      async handle({ params }) {
        const removed = await controllers.remove(params.name);
        return removed.ok ? ok({}) : removed;
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/nodes/{name}/out-of-band',
      summary:
        'Switch or ask a machine through its management controller, without its own system and without notice',
      role: 'operate',
      params: named,
      body: object({ act: oneOf(...outOfBandActs) }),
      reply: object({ said: text({ min: 0, max: 262_144 }) }),
      async handle({ params, body }) {
        const done = await controllers.act(params.name, body.act);
        return done.ok ? ok({ said: done.value }) : done;
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/nodes/{name}/wake',
      summary: 'Send the packet that wakes a machine',
      role: 'operate',
      params: named,
      reply: object({}),
      async handle({ params }) {
        const sent = await controllers.wake(params.name);
        return sent.ok ? ok({}) : sent;
      },
    }),
  ];
}
