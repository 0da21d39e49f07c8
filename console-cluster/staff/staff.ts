import type { ConsoleParts } from '../../console/daemon/daemon.js';
import { openVault } from '../../console/daemon/vault.js';
import type { AnyRoute } from '../../console/api/route.js';
import { ok, type Result } from '../../protocol/result.js';
import { accountRoutes, ownAccountRoutes } from './account-routes.js';
import { Accounts } from './accounts.js';
import { invitationRoutes } from './invitation-routes.js';
import { Lockout } from './lockout.js';
import { loginRoutes } from './login-routes.js';
import { Tickets } from './logins.js';
import { Tokens } from './tokens.js';

/** The people and programs that may use this console, and how they come in. */
export async function openStaff(
  parts: ConsoleParts,
): Promise<Result<{ readonly routes: readonly AnyRoute[] }>> {
  const { store, pair, sessions, clocks, config } = parts;
  const now = (): number => clocks.wall();
  const vault = await openVault(store, pair);
  if (!vault.ok) return vault;
  const tokens = new Tokens(store, now, (caller) => sessions.endAllOf(caller));
  const opened = await tokens.open();
  if (!opened.ok) return opened;
  sessions.addTokens(tokens);
  const accounts = new Accounts(store, vault.value);
  const staff = { accounts, sessions, now, tickets: new Tickets(), lockout: new Lockout() };
  return ok({
    routes: [
      ...loginRoutes(staff),
      ...invitationRoutes(staff, config.name),
      ...accountRoutes(staff),
      ...ownAccountRoutes(staff),
      ...tokens.routes(),
    ],
  });
}
