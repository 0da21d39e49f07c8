import { noAddress, type ClasslessRoute, type DhcpPacket } from '../../protocol/dhcp/index.js';
import {
  inPrefix,
  ipv4Number,
  isHostAddress,
  isHostWithin,
  maskLength,
} from '../../protocol/ethernet/address.js';
import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { Assignment } from '../ports/address-link.js';

/** An address and what belongs to it, with the moments (of the clock that never jumps) at which it must be renewed and given up. */
export interface Lease {
  readonly address: string;
  readonly length: number;
  readonly server: string;
  /** In the order of preference; the first is the default route, unless `routes` says otherwise. */
  readonly routers: readonly string[];
  readonly routes: readonly ClasslessRoute[];
  /** Where the console's gateway is said to be. A hint. */
  readonly gateway?: string;
  readonly renew_ms: number;
  readonly rebind_ms: number;
  readonly expires_ms: number;
}

function bad(detail: string, packet: DhcpPacket): Result<never> {
  return refuse('dhcp-unacceptable', detail, { data: { server: packet.options.server ?? packet.siaddr } });
}

/**
 * What a server offers or grants, if it makes sense. `asked_ms` is when it was asked: the server counts from no earlier, so the address
 * is given up no later than the server takes it back.
 */
export function leaseOf(packet: DhcpPacket, asked_ms: number): Result<Lease> {
  const { options, yiaddr } = packet;
  const { server, subnetMask, lease_s } = options;
  if (server === undefined || !isHostAddress(server)) return bad('says no server', packet);
  const length = subnetMask === undefined ? undefined : maskLength(subnetMask);
  if (length === undefined || length < 8) return bad('has no mask that can be', packet);
  if (!isHostWithin(yiaddr, length)) return bad(`${yiaddr}/${length} is no machine's address`, packet);
  if (lease_s === undefined || lease_s < limits.dhcp_lease_s_min)
    return bad('does not hold long enough', packet);
  const routers = options.routers ?? [];
  const routes = options.classlessRoutes ?? [];
  if (routers.length > limits.dhcp_routes_max || routes.length > limits.dhcp_routes_max)
    return bad('has too many routes', packet);
  const odd = [...routers, ...routes.map(({ router }) => router)].find((it) => !isRouter(it, yiaddr));
  if (odd !== undefined) return bad(`${odd} is no router`, packet);
  const wrong = routes.find((it) => !isNetwork(it));
  if (wrong !== undefined) return bad(`${wrong.network}/${wrong.length} is no network`, packet);
  return ok({
    address: yiaddr,
    length,
    server,
    routers,
    routes,
    ...(options.gateway === undefined ? {} : { gateway: options.gateway }),
    ...moments(asked_ms, lease_s, options.renewal_s, options.rebinding_s),
  });
}

/** 0.0.0.0 as a router says that the network is on the link (RFC 3442). */
function isRouter(router: string, own: string): boolean {
  return router !== own && (router === noAddress || isHostAddress(router));
}

function isNetwork({ network, length }: ClasslessRoute): boolean {
  const first = Math.floor(ipv4Number(network) / 2 ** 24);
  const whole = ipv4Number(network) % 2 ** (32 - length) === 0;
  return whole && (length === 0 || (first !== 0 && first !== 127 && first < 224));
}

/** The server's own times if they are in order, else RFC 2131's: half, and seven eighths. */
function moments(
  asked_ms: number,
  lease_s: number,
  renewal_s = 0,
  rebinding_s = 0,
): Pick<Lease, 'renew_ms' | 'rebind_ms' | 'expires_ms'> {
  const rebind_s = rebinding_s > 0 && rebinding_s < lease_s ? rebinding_s : lease_s * 0.875;
  const half_s = lease_s / 2 < rebind_s ? lease_s / 2 : rebind_s / 2;
  const renew_s = renewal_s > 0 && renewal_s < rebind_s ? renewal_s : half_s;
  return {
    renew_ms: asked_ms + renew_s * 1000,
    rebind_ms: asked_ms + rebind_s * 1000,
    expires_ms: asked_ms + lease_s * 1000,
  };
}

/** The routes that the machine needs: the classless ones if there are any (RFC 3442 says that they replace the routers). */
export function routesOf(lease: Lease): readonly ClasslessRoute[] {
  if (lease.routes.length > 0) return lease.routes;
  const [router] = lease.routers;
  return router === undefined ? [] : [{ network: '0.0.0.0', length: 0, router }];
}

/** What the machine is told, at this moment, of a lease. */
export function assignmentOf(lease: Lease, now_ms: number): Assignment {
  const isNear = (router: string): boolean =>
    router === noAddress || inPrefix(router, lease.address, lease.length);
  return {
    address: lease.address,
    length: lease.length,
    routes: routesOf(lease).map((route) => ({ ...route, onLink: !isNear(route.router) })),
    holds_s: Math.max(1, Math.floor((lease.expires_ms - now_ms) / 1000)),
  };
}
