import { isLoopback } from '../console/daemon/config.js';
import { followLeases } from '../console/leases/follow.js';
import { heldLeaseRoutes } from '../console/leases/routes.js';
import { HeldLeases } from '../console/leases/take.js';
import { serveConsole, type ConsoleParts, type Serving } from '../console/daemon/daemon.js';
import { LeaseBook } from '../console/granting/book.js';
import { Customers } from '../console/granting/customers.js';
import { leaseRoutes as subLeaseRoutes } from '../console/granting/routes.js';
import { CatchUp } from '../console/past/catch-up.js';
import { Presence } from '../console/past/presence.js';
import { pastRoutes } from '../console/past/routes.js';
import { ok, refuse, type Result } from '../protocol/result.js';
import { folderRoutes } from './engines/folder-routes.js';
import { secretRoutes } from './engines/secret-routes.js';
import { engineRoutes } from './engines/routes.js';
import { Rolls } from './engines/roll.js';
import { scaleRoutes } from './engines/scale-routes.js';
import { Scalings } from './engines/scale.js';

/** The tenant's console, put together. It serves its own machine only. */
export async function serve(parts: ConsoleParts): Promise<Result<Serving>> {
  if (!isLoopback(parts.config.api.host))
    return refuse('not-loopback', parts.config.api.host, { where: 'console.json api.host' });
  const { store, book, pair, clocks, log } = parts;
  const now = (): number => clocks.wall();
  const presence = new Presence(store, now, log);
  const catchUp = new CatchUp({ store, book, own: pair.public, now, log });
  const customers = new Customers(store, () => undefined);
  const subLeases = new LeaseBook({
    store,
    prefix: 'sub-lease/',
    nodes: book,
    customers,
    facility: parts.config.name,
    // The ways to a node are those by which this console reaches it.
    gateways: () => Promise.resolve([]),
    now,
    log,
    ended: () => undefined,
  });
  const held = new HeldLeases(parts);
  await presence.begin();
  const serving = await serveConsole(parts, {
    title: 'console-app',
    routes: [
      ...heldLeaseRoutes(held),
      ...engineRoutes({ ...parts, rolls: rollsOf(parts) }),
      ...scaleRoutes({ ...parts, scalings: scalingsOf(parts) }),
      ...folderRoutes(parts),
      ...secretRoutes(parts),
      ...pastRoutes({ ...parts, catchUp, presence, now }),
      ...customers.routes(),
      ...subLeaseRoutes(subLeases, book, '/api/v1/sub-leases'),
    ],
  });
  if (!serving.ok) return serving;
  catchUp.begin();
  const stopFollowing = followLeases(book, held);
  subLeases.start();
  held.start();
  const close = async (): Promise<void> => {
    catchUp.end();
    stopFollowing();
    subLeases.close();
    held.close();
    await presence.end();
    await serving.value.close();
  };
  return ok({ ...serving.value, close });
}

function rollsOf({ book, log, clocks }: ConsoleParts): Rolls {
  return new Rolls({ book, log, steady: () => clocks.steady() });
}

function scalingsOf({ book, log, clocks }: ConsoleParts): Scalings {
  return new Scalings({ book, log, steady: () => clocks.steady() });
}
