import { randomBytes } from 'node:crypto';
import { serveConsole, type ConsoleParts, type Serving } from '../console/daemon/daemon.js';
import { ownGateway } from '../console/daemon/own-gateway.js';
import { openVault } from '../console/daemon/vault.js';
import { followLeases } from '../console/leases/follow.js';
import { heldLeaseRoutes } from '../console/leases/routes.js';
import { HeldLeases } from '../console/leases/take.js';
import { countStates, sample, type Sample } from '../console/metrics/metrics.js';
import { toB64u } from '../crypto/bytes.js';
import { limits } from '../protocol/limits.js';
import type { Way } from '../protocol/node-card.js';
import { ok, type Result } from '../protocol/result.js';
import { certificatePin } from '../protocol/pin.js';
import { AdoptionDesk } from './adoption/desk.js';
import { Inventory } from './adoption/inventory.js';
import { adoptionRoutes, besideFrom, inventoryRoutes } from './adoption/routes.js';
import { ClusterBook } from './clusters/book.js';
import { clusterOf } from './clusters/compute.js';
import { boundaryStates } from './clusters/record.js';
import { clusterRoutes } from './clusters/routes.js';
import { Customers } from '../console/granting/customers.js';
import { DhcpDesk } from './dhcp/desk.js';
import { dhcpRoutes } from './dhcp/routes.js';
import { Hub } from './gateway/hub.js';
import { listenGateway } from './gateway/listen.js';
import { facilityPolicy } from './gateway/policy.js';
import { gatewayRoutes } from './gateway/routes.js';
import { Controllers } from './hardware/controllers.js';
import { outOfBandRoutes } from './hardware/out-of-band-routes.js';
import { quarantineRoutes } from './clusters/quarantine-routes.js';
import { hardwareRoutes } from './hardware/routes.js';
import { LeaseBook } from '../console/granting/book.js';
import { leaseStates } from '../console/granting/record.js';
import { leaseRoutes } from '../console/granting/routes.js';
import { SaleBook } from './sales/book.js';
import { saleRoutes } from './sales/routes.js';
import { openStaff } from './staff/staff.js';

/** The landlord's console, put together. */
export async function serve(parts: ConsoleParts): Promise<Result<Serving>> {
  const { store, book, config, clocks, log, pair } = parts;
  const staff = await openStaff(parts);
  if (!staff.ok) return staff;
  const vault = await openVault(store, parts.pair);
  if (!vault.ok) return vault;
  const customers = new Customers(store, () => void hub.partUnwelcome());
  const gateways = ownGateway(config, parts.tls.cert);
  const now = (): number => clocks.wall();
  const leases = new LeaseBook({
    store,
    nodes: book,
    customers,
    facility: config.name,
    gateways: async () => parts.gateways(),
    now,
    log,
    ended: () => partLater(),
  });
  const policy = facilityPolicy({
    isOwn: (id) => parts.rotation.isOwn(id),
    nodes: book,
    customers,
    leases,
  });
  const hub = new Hub({
    policy,
    pin: certificatePin(parts.tls.cert),
    newNonce: () => toB64u(randomBytes(32)),
    now: () => clocks.steady(),
    wall: now,
    log,
  });
  /**
   * A customer opens no new channel to a node whose lease ended, and the node obeys it no more; the open one stays for a moment, so that the
   * node can say, signed, that the lease ended.
   */
  const partLater = (): void => {
    setTimeout(() => void hub.partUnwelcome(), limits.notices_parting_ms).unref();
  };
  const inventory = new Inventory(store);
  const stock = await inventory.open();
  if (!stock.ok) return stock;
  const desk = new AdoptionDesk({
    pair: parts.pair,
    name: config.name,
    gateways: async () => parts.gateways(),
    nodes: book,
    inventory,
    now,
    log,
  });
  const gateway =
    config.gateway &&
    (await listenGateway(hub, {
      ...config.gateway,
      tls: parts.tls,
      pairing: (socket, source) => desk.accept(socket, source),
    }));
  if (gateway && !gateway.ok) return gateway;
  const clusters = new ClusterBook({ store, nodes: book, now, log });
  const standing = await clusters.open();
  if (!standing.ok) return standing;
  const dhcp = new DhcpDesk({
    config: config.dhcp,
    store,
    now,
    log,
    gateway: hintOf(gateways),
    clusterOf: (node) => clusterOf(clusters.plan, node),
    naming: clusters.naming,
  });
  const held = new HeldLeases(parts);
  const sales = new SaleBook({
    store,
    pair,
    nodes: book,
    leases,
    inventory,
    clusters,
    facility: config.name,
    now,
    log,
  });
  const buying = {
    pair,
    nodes: book,
    inventory,
    leases,
    customers,
    held,
    clocks,
    keyBits: config.nodeKeyBits,
  };
  const routes = [
    ...staff.value.routes,
    ...clusterRoutes(clusters, book, now),
    ...customers.routes(),
    ...leaseRoutes(leases, book),
    ...heldLeaseRoutes(held),
    ...gatewayRoutes(hub),
    ...dhcpRoutes(dhcp),
    ...adoptionRoutes(desk),
    ...inventoryRoutes({ nodes: book, inventory, leases, clusters, now, log, pair }),
    ...saleRoutes(sales, buying),
    ...hardwareRoutes(book),
    ...quarantineRoutes(book),
    ...outOfBandRoutes(new Controllers(store, vault.value), book),
  ];
  const samples = async (): Promise<readonly Sample[]> => {
    const all = await leases.all();
    const { nodes, consoles, channels, waiting } = hub.view();
    const boundaries = [...clusters.boundaries.values()].map(({ state }) => state);
    return [
      ...countStates('console_boundaries', boundaryStates, boundaries),
      ...(all.ok
        ? countStates(
            'console_leases',
            leaseStates,
            all.value.map(({ value }) => value.state),
          )
        : []),
      ...(gateway ? [sample('console_gateway_nodes', nodes.length)] : []),
      ...(gateway ? [sample('console_gateway_consoles', consoles)] : []),
      ...(gateway ? [sample('console_gateway_channels', channels)] : []),
      ...(gateway ? [sample('console_gateway_waiting', waiting.length)] : []),
    ];
  };
  const serving = await serveConsole(parts, {
    title: 'console-cluster',
    routes,
    samples,
    besideOf: besideFrom(inventory),
  });
  if (!serving.ok) return serving;
  leases.start();
  sales.start();
  held.start();
  const stopFollowing = followLeases(book, held);
  clusters.start();
  await dhcp.start();
  return ok({
    api: serving.value.api,
    async close() {
      leases.close();
      held.close();
      await sales.close();
      stopFollowing();
      await clusters.close();
      await dhcp.close();
      desk.close();
      await gateway?.value.close();
      await serving.value.close();
    },
  });
}

/** The gateway as DHCP tells it to nodes: HOST:PORT#PIN. */
function hintOf([way]: readonly Way[]): string | undefined {
  return way && `${way.url.replace('wss://', '')}#${way.pin ?? ''}`;
}
