import { route, type Route } from '../../console/api/route.js';
import {
  list,
  moment,
  name,
  nullable,
  object,
  opaque,
  oneOf,
  optional,
  text,
  whole,
} from '../../console/api/shape.js';
import { limits } from '../../protocol/limits.js';
import { ok } from '../../protocol/result.js';
import type { DhcpDesk } from './desk.js';

const mac = text({ max: 17, pattern: /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/, form: 'a hardware address' });
const ipv4 = text({ max: 15, pattern: /^[0-9.]+$/, form: 'an IPv4 address' });
const label = text({ min: 0, max: 255 });
const machine = object({ mac, node: name, pool: name, fixed: optional(ipv4) });

export function dhcpRoutes(desk: DhcpDesk): Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/dhcp',
      summary:
        'Whether the DHCP server serves, its pools and machines, who holds which address, and who asked and is not known',
      role: 'view',
      reply: object({
        state: oneOf('off', 'serving', 'failed'),
        why: nullable(text({ min: 0, max: 2000 })),
        pools: list(opaque('a range of addresses, and what is told with them'), { max: limits.clusters_max }),
        machines: list(machine, { max: limits.nodes_max }),
        leases: list(object({ address: ipv4, mac: optional(mac), until: moment }), {
          max: limits.dhcp_pool_addresses_max,
        }),
        waiting: list(
          object({
            mac,
            first: moment,
            last: moment,
            asked: whole({ min: 1, max: Number.MAX_SAFE_INTEGER }),
            hostname: optional(label),
            vendorClass: optional(label),
          }),
          { max: limits.dhcp_waiting_max },
        ),
      }),
      handle: () => Promise.resolve(ok(viewOf(desk))),
    }),
    route({
      method: 'PUT',
      path: '/api/v1/dhcp/pools/{name}',
      summary: 'Define a pool of addresses: that of the cluster of this name, or `default`',
      role: 'administer',
      params: object({ name }),
      body: opaque('network, length, first, last, lease_s; routers, dns, domain, gateway'),
      reply: opaque('the pool'),
      handle: async ({ params, body }) => desk.setPool({ ...body, name: params.name }),
    }),
    route({
      method: 'PUT',
      path: '/api/v1/dhcp/machines/{mac}',
      summary:
        'Give addresses to a machine: as which node, from which pool, and which one if it has one of its own',
      role: 'operate',
      params: object({ mac }),
      body: object({ node: name, pool: optional(name), fixed: optional(ipv4) }),
      reply: machine,
      handle: async ({ params, body }) => desk.setMachine({ mac: params.mac, ...body }),
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/dhcp/machines/{mac}',
      summary: 'Give a machine no addresses any more; what it holds ends with its time',
      role: 'operate',
      params: object({ mac }),
      reply: object({}),
      async handle({ params }) {
        const server = desk.server();
        const removed = server.ok ? await server.value.removeMachine(params.mac) : server;
        return removed.ok ? ok({}) : removed;
      },
    }),
  ];
}

function viewOf(desk: DhcpDesk) {
  const server = desk.server();
  if (!server.ok) return { ...desk.standing, pools: [], machines: [], leases: [], waiting: [] };
  const { value } = server;
  return {
    ...desk.standing,
    pools: value.pools(),
    machines: value.machines(),
    leases: value.held().map(({ until_ms, ...held }) => ({ ...held, until: until_ms })),
    waiting: value
      .waiting()
      .map(({ first_ms, last_ms, ...machine }) => ({ ...machine, first: first_ms, last: last_ms })),
  };
}
