import { roles } from '../../console/api/access.js';
import { route, type Call, type Route } from '../../console/api/route.js';
import { flag, list, moment, name, object, oneOf, text, whole } from '../../console/api/shape.js';
import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { Account } from './account.js';
import { password, secretOf, token, type StaffParts } from './login-routes.js';
import { madePasskey, registerPasskey } from './passkey.js';
import { isOfProgram } from './tokens.js';

const view = object({
  name,
  role: oneOf(...roles),
  state: oneOf('invited', 'active', 'closed'),
  since: moment,
  totp: flag,
  passkeys: whole({ min: 0, max: 64 }),
  recoveryCodes: whole({ min: 0, max: 64 }),
});
const invitation = object({ code: token, until: moment });

function viewOf({ name, role, state, since, totp, passkeys, recovery }: Account) {
  return {
    name,
    role,
    state,
    since,
    totp: totp !== undefined,
    passkeys: passkeys.length,
    recoveryCodes: recovery.length,
  };
}

/** What an administrator does with the accounts of others. */
export function accountRoutes({ accounts, sessions, tickets, now }: StaffParts): Route[] {
  const named = object({ name });
  /** What was begun with what the account was, too. */
  const endAllOf = (who: string): void => {
    tickets.dropOf(who);
    sessions.endAllOf(who);
  };
  const invitationFor = (code: Result<string>) =>
    code.ok ? ok({ code: code.value, until: now() + limits.invitation_ms_max }) : code;
  return [
    route({
      method: 'GET',
      path: '/api/v1/accounts',
      summary: 'All accounts of the staff',
      role: 'administer',
      reply: object({ accounts: list(view, { max: limits.accounts_max }) }),
      handle: async () => {
        const all = await accounts.all();
        return all.ok ? ok({ accounts: all.value.map(viewOf) }) : all;
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/accounts',
      summary: 'Invite a person; the code opens the page once, within three days',
      role: 'administer',
      body: object({ name, role: oneOf(...roles) }),
      reply: invitation,
      handle: async ({ caller, body, about }) => {
        about(`${body.name} ${body.role}`);
        if (isOfProgram(caller)) return refuse('not-permitted', 'people are invited by people');
        return invitationFor(await accounts.invite(body.name, body.role, now()));
      },
    }),
    route({
      method: 'PUT',
      path: '/api/v1/accounts/{name}',
      summary: 'Change the role of an account; its sessions end',
      role: 'administer',
      params: named,
      body: object({ role: oneOf(...roles) }),
      reply: object({}),
      async handle({ params, body, about }) {
        about(body.role);
        const set = await accounts.setRole(params.name, body.role);
        endAllOf(params.name);
        return set.ok ? ok({}) : set;
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/accounts/{name}/reset',
      summary: 'Take password and second factors away and invite again; its sessions end',
      role: 'administer',
      params: named,
      reply: invitation,
      async handle({ caller, params }) {
        if (isOfProgram(caller)) return refuse('not-permitted', 'people are invited by people');
        const code = await accounts.reset(params.name, now());
        endAllOf(params.name);
        return invitationFor(code);
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/accounts/{name}',
      summary: 'Close an account; its sessions end and nothing of it logs in any more',
      role: 'administer',
      params: named,
      reply: object({}),
      async handle({ params }) {
        const closed = await accounts.close(params.name);
        endAllOf(params.name);
        return closed.ok ? ok({}) : closed;
      },
    }),
  ];
}

/** What everybody does with the own account. */
export function ownAccountRoutes(parts: StaffParts): Route[] {
  const { accounts, sessions, tickets, lockout, now } = parts;
  const passkey = object({ id: text({ max: 1400 }), added: moment });
  /** Whoever finds an open browser must not be able to take the account over. */
  const proved = async (name: string, given: string, source: string): Promise<Result<Account>> => {
    const attempt = lockout.begin(name, source, now());
    if (!attempt.ok) return attempt;
    const right = await accounts.checkPassword(name, secretOf(given));
    if (!right.ok && right.refusal.code === 'not-authenticated') attempt.value.wrong();
    else attempt.value.neither();
    return right.ok || right.refusal.code !== 'not-authenticated'
      ? right
      : refuse('wrong-password', 'the present password is wrong');
  };
  const mine = async ({
    caller,
  }: Pick<Call<unknown, unknown, unknown>, 'caller'>): Promise<Result<Account>> =>
    caller.by === 'session' ? accounts.get(caller.name) : refuse('not-permitted', 'this is for people');
  return [
    route({
      method: 'GET',
      path: '/api/v1/account',
      summary: 'My account',
      role: 'view',
      reply: object({
        account: view,
        passkeys: list(passkey, { max: limits.passkeys_per_account_max }),
      }),
      async handle(call) {
        const account = await mine(call);
        if (!account.ok) return account;
        const passkeys = account.value.passkeys.map(({ id, added }) => ({ id, added }));
        return ok({ account: viewOf(account.value), passkeys });
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/account/password',
      summary: 'Change my password; my other sessions end',
      role: 'view',
      body: object({ present: password, next: password }),
      reply: object({}),
      async handle(call) {
        const account = await mine(call);
        if (!account.ok) return account;
        const right = await proved(account.value.name, call.body.present, call.source);
        if (!right.ok) return right;
        const set = await accounts.setPassword(account.value.name, secretOf(call.body.next));
        if (!set.ok) return set;
        tickets.dropOf(account.value.name);
        sessions.endAllOf(account.value.name, call.caller.id);
        return ok({});
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/account/passkeys/begin',
      summary: 'Begin to add a passkey',
      role: 'view',
      body: object({ password }),
      reply: object({ ticket: token, challenge: token }),
      async handle(call) {
        const account = await mine(call);
        if (!account.ok) return account;
        const right = await proved(account.value.name, call.body.password, call.source);
        if (!right.ok) return right;
        const made = tickets.make({ name: account.value.name, purpose: 'passkey' }, now());
        return ok({ ticket: made.ticket, challenge: made.pending.challenge });
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/account/passkeys',
      summary: 'Add the passkey that the browser made',
      role: 'view',
      body: object({ ticket: token, passkey: madePasskey }),
      reply: object({}),
      async handle(call) {
        const pending = tickets.look(call.body.ticket, 'passkey', now());
        if (!pending.ok) return pending;
        if (pending.value.name !== call.caller.name) return refuse('not-permitted', 'begun by another');
        const ceremony = { challenge: pending.value.challenge, origin: call.origin };
        const made = registerPasskey(call.body.passkey, ceremony, now());
        if (!made.ok) return made;
        tickets.use(call.body.ticket);
        const added = await accounts.addPasskey(pending.value.name, made.value);
        return added.ok ? ok({}) : added;
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/account/passkeys/{id}',
      summary: 'Remove one of my passkeys',
      role: 'view',
      params: object({ id: text({ max: 1400 }) }),
      reply: object({}),
      async handle(call) {
        const account = await mine(call);
        if (!account.ok) return account;
        const removed = await accounts.removePasskey(account.value.name, call.params.id);
        return removed.ok ? ok({}) : removed;
      },
    }),
  ];
}
