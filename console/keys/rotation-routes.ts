import { route, type Route } from '../api/route.js';
import { digest, name, object, opaque } from '../api/shape.js';
import type { KeyRotation } from './rotation.js';

/** The replacement of this console's own key. */
export function rotationRoutes(rotation: KeyRotation): Route[] {
  const path = '/api/v1/key/rotation';
  const reply = opaque('where the replacement of the key stands');
  return [
    route({
      method: 'GET',
      path,
      summary: 'Whether this console’s own key is being replaced, and how far that is on each node',
      role: 'view',
      reply,
      handle: () => rotation.status(),
    }),
    route({
      method: 'POST',
      path,
      summary: 'Replace this console’s own key on every node where it speaks',
      role: 'administer',
      body: object({ replaces: digest }),
      reply,
      handle: ({ body }) => rotation.begin(body.replaces),
    }),
    route({
      method: 'DELETE',
      path,
      summary: 'Call it off, as long as the next key has not taken the place of the present one',
      role: 'administer',
      reply,
      handle: () => rotation.cancel(),
    }),
    route({
      method: 'POST',
      path: '/api/v1/key/rotation/leave',
      summary: 'Give up a node that cannot be reached: this console does not speak there any more',
      role: 'administer',
      body: object({ node: name }),
      reply,
      handle: ({ body }) => rotation.leave(body.node),
    }),
  ];
}
