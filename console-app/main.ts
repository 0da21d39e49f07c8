import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ConsoleProgram } from '../console/cli/program.js';
import { isLoopback } from '../console/daemon/config.js';
import { heldLeaseRoutes } from '../console/leases/routes.js';
import { HeldLeases } from '../console/leases/take.js';
import { serveConsole, type ConsoleParts } from '../console/daemon/daemon.js';
import { refuse } from '../protocol/result.js';
import { folderRoutes } from './engines/folder-routes.js';
import { secretRoutes } from './engines/secret-routes.js';
import { engineRoutes } from './engines/routes.js';
import { Rolls } from './engines/roll.js';

const stateHome = process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local/state');

/** The tenant's console, put together. It serves its own machine only. */
export const consoleApp: ConsoleProgram = {
  name: 'console-app',
  about: "The tenant's console: software, sub-boundaries and keys on leased nodes.",
  defaultDir: join(stateHome, 'console-app'),
  defaultPort: 7500,
  hasGateway: false,
  serve: async (parts) =>
    isLoopback(parts.config.api.host)
      ? serveConsole(parts, {
          title: 'console-app',
          routes: [
            ...heldLeaseRoutes(new HeldLeases(parts)),
            ...engineRoutes({ ...parts, rolls: rollsOf(parts) }),
            ...folderRoutes(parts),
            ...secretRoutes(parts),
          ],
        })
      : refuse('not-loopback', parts.config.api.host, { where: 'console.json api.host' }),
};

function rollsOf({ book, log, clocks }: ConsoleParts): Rolls {
  return new Rolls({ book, log, steady: () => clocks.steady() });
}
