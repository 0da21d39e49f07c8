import { route, type Route } from '../../console/api/route.js';
import { digest, list, moment, object, text, whole } from '../../console/api/shape.js';
import { limits } from '../../protocol/limits.js';
import { ok } from '../../protocol/result.js';
import type { Hub } from './hub.js';

export function gatewayRoutes(hub: Hub): Route[] {
  const count = whole({ min: 0, max: Number.MAX_SAFE_INTEGER });
  return [
    route({
      method: 'GET',
      path: '/api/v1/gateway',
      summary: 'Who has dialled the gateway, and which nodes wait to be adopted',
      role: 'view',
      reply: object({
        nodes: list(digest, { max: limits.gateway_connections_max }),
        consoles: count,
        channels: count,
        waiting: list(object({ id: digest, source: text({ min: 0, max: 64 }), at: moment }), {
          max: limits.gateway_waiting_nodes_max,
        }),
      }),
      handle: () => Promise.resolve(ok(hub.view())),
    }),
  ];
}
