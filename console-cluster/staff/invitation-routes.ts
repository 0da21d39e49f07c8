import { route, type Route } from '../../console/api/route.js';
import { list, object, optional, text } from '../../console/api/shape.js';
import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { newTotpSecret, type Pending } from './logins.js';
import { enter, password, secretOf, token, totpCode, who, type StaffParts } from './login-routes.js';
import { madePasskey, registerPasskey, type KeptPasskey, type MadePasskey } from './passkey.js';
import { base32, otpauthUri, totpMatches } from './totp.js';

/**
 * How an account begins: an administrator makes a link, which its person opens to choose a password and a second factor. Nobody
 * else ever knows either.
 */
export function invitationRoutes(parts: StaffParts, console: string): Route[] {
  const { accounts, tickets, sessions, now } = parts;
  return [
    route({
      method: 'POST',
      path: '/api/v1/invitation',
      summary: 'Look at an invitation: for whom it is, and what an authenticator is to be given',
      role: 'anyone',
      body: object({ code: token }),
      reply: object({
        name: text({ max: 100 }),
        role: text({ max: 20 }),
        ticket: token,
        challenge: token,
        totpSecret: text({ max: 64 }),
        totpUri: text({ max: 400 }),
      }),
      async handle({ body, about }) {
        const account = await accounts.invitedBy(body.code, now());
        if (!account.ok) return account;
        const { name, role } = account.value;
        about(name);
        const totp = newTotpSecret();
        const made = tickets.make({ name, purpose: 'invitation', totp, code: body.code }, now());
        const totpSecret = totp.use(base32);
        const totpUri = otpauthUri(console, name, totpSecret);
        const { challenge } = made.pending;
        return ok({ name, role, ticket: made.ticket, challenge, totpSecret, totpUri });
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/invitation/accept',
      summary: 'Choose a password and a second factor; begins a session and gives the recovery codes, once',
      role: 'anyone',
      body: object({
        ticket: token,
        password,
        totp: optional(totpCode),
        passkey: optional(madePasskey),
      }),
      reply: object({ who, recovery: list(text({ max: 40 }), { max: limits.recovery_codes_count }) }),
      async handle({ body, session, origin, about }) {
        const pending = tickets.look(body.ticket, 'invitation', now());
        if (!pending.ok) return pending;
        const second = chosen(body, pending.value, origin, now());
        if (!second.ok) return second;
        const { code = '', name } = pending.value;
        about(name);
        const accepted = await accounts.accept(code, secretOf(body.password), second.value, now());
        if (!accepted.ok) return accepted;
        tickets.use(body.ticket);
        sessions.endAllOf(name);
        const account = await accounts.get(name);
        if (!account.ok) return account;
        return ok({ who: enter(parts, session, account.value), recovery: [...accepted.value] });
      },
    }),
  ];
}

/** A second factor has to show that it works before the account depends on it. */
function chosen(
  body: { readonly totp?: string; readonly passkey?: MadePasskey },
  pending: Pending,
  origin: string,
  now: number,
): Result<{ totp?: { secret: NonNullable<Pending['totp']>; step: number }; passkey?: KeptPasskey }> {
  if (body.totp !== undefined && pending.totp) {
    const step = totpMatches(pending.totp, body.totp, now, 0);
    return step === undefined
      ? refuse('wrong-second-factor', 'the code does not fit; is the clock of the authenticator right?')
      : ok({ totp: { secret: pending.totp, step } });
  }
  if (!body.passkey) return refuse('bad-input', 'a second factor is needed: totp or passkey');
  const passkey = registerPasskey(body.passkey, { challenge: pending.challenge, origin }, now);
  return passkey.ok ? ok({ passkey: passkey.value }) : passkey;
}
