import { limits } from '../../protocol/limits.js';
import { route, type Route } from '../api/route.js';
import { digest, flag, list, name, object, oneOf, opaque, optional, text } from '../api/shape.js';
import type { NodeKeys } from './keys.js';

const id = text({ max: 22, pattern: /^[A-Za-z0-9_-]{22}$/, form: 'an id' });

/** The keys of this level on a node. */
export function keyRoutes(keys: NodeKeys): Route[] {
  const params = object({ name });
  const reply = opaque('what the node answered');
  return [
    route({
      method: 'GET',
      path: '/api/v1/nodes/{name}/keys',
      summary:
        'The names of this level’s keys on a node, which are open, and whether this console keeps a share',
      role: 'view',
      params,
      reply,
      handle: ({ params: at }) => keys.read(at.name),
    }),
    route({
      method: 'POST',
      path: '/api/v1/nodes/{name}/keys/make',
      summary: 'Make the K of this level, where there is none',
      role: 'administer',
      params,
      reply,
      handle: ({ params: at }) => keys.make(at.name),
    }),
    route({
      method: 'POST',
      path: '/api/v1/nodes/{name}/keys/rotate',
      summary: 'Replace this level’s pair, and its K if so wanted; what that destroys must be named',
      role: 'administer',
      params,
      body: object({
        key: flag,
        data: oneOf('destroy', 'keep', 'reencrypt'),
        destroys: optional(list(id, { max: limits.levels_max })),
      }),
      reply,
      handle: ({ params: at, body }) => keys.rotate(at.name, body),
    }),
    route({
      method: 'POST',
      path: '/api/v1/nodes/{name}/keys/consent',
      summary: 'Allow a level above, once, to replace a key over this level’s data and keep the data',
      role: 'administer',
      params,
      body: object({ to: id, act: oneOf('rotate', 'transfer'), holder: optional(digest) }),
      reply,
      handle: ({ params: at, body }) => keys.consent(at.name, body.to, body.act, body.holder),
    }),
    route({
      method: 'POST',
      path: '/api/v1/nodes/{name}/keys/share',
      summary: 'Lock this level’s K under a share that this console keeps, or no longer',
      role: 'administer',
      params,
      body: object({ share: oneOf('new', 'none') }),
      reply,
      handle: ({ params: at, body }) => keys.share(at.name, body.share),
    }),
    route({
      method: 'GET',
      path: '/api/v1/nodes/{name}/keys/jobs',
      summary: 'How far the re-encryption of this level’s data is, and how earlier ones ended',
      role: 'view',
      params,
      reply,
      handle: ({ params: at }) => keys.jobs(at.name),
    }),
    route({
      method: 'POST',
      path: '/api/v1/nodes/{name}/keys/cancel',
      summary: 'Break off a re-encryption: the data stays under the key it had',
      role: 'administer',
      params,
      body: object({ job: id }),
      reply,
      handle: ({ params: at, body }) => keys.cancel(at.name, body.job),
    }),
    route({
      method: 'POST',
      path: '/api/v1/nodes/{name}/keys/unlock',
      summary: 'Send the share that opens this level’s K after a start of the node',
      role: 'operate',
      params,
      reply,
      handle: ({ params: at }) => keys.unlock(at.name),
    }),
  ];
}
