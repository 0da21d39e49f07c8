import type { ConsoleProgram } from '../console/cli/program.js';
import { serveConsole } from '../console/daemon/daemon.js';
import { ok } from '../protocol/result.js';
import { Customers } from './customers.js';
import { LeaseBook } from './leases/book.js';
import { leaseRoutes } from './leases/routes.js';

/** The landlord's console, put together. */
export const consoleCluster: ConsoleProgram = {
  name: 'console-cluster',
  about: "The landlord's console: nodes, clusters, leases and boundaries of a facility.",
  defaultDir: '/var/lib/console-cluster',
  defaultPort: 7400,
  hasGateway: true,
  async serve(parts) {
    const customers = new Customers(parts.store);
    const leases = new LeaseBook({
      store: parts.store,
      nodes: parts.book,
      customers,
      facility: parts.config.name,
      gateways: [],
      now: () => parts.clocks.wall(),
      log: parts.log,
    });
    const routes = [...customers.routes(), ...leaseRoutes(leases, parts.book)];
    const serving = await serveConsole(parts, { title: 'console-cluster', routes });
    if (!serving.ok) return serving;
    leases.start();
    return ok({
      api: serving.value.api,
      async close() {
        leases.close();
        await serving.value.close();
      },
    });
  },
};
