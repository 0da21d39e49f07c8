import type { ConsoleProgram } from '../console/cli/program.js';
import { serveConsole } from '../console/daemon/daemon.js';
import { leaseRoutes } from './leases/routes.js';

/** The landlord's console, put together. */
export const consoleCluster: ConsoleProgram = {
  name: 'console-cluster',
  about: "The landlord's console: nodes, clusters, leases and boundaries of a facility.",
  defaultDir: '/var/lib/console-cluster',
  defaultPort: 7400,
  hasGateway: true,
  serve: async (parts) =>
    serveConsole(parts, {
      title: 'console-cluster',
      routes: leaseRoutes(parts.book),
    }),
};
