import type { Sessions } from '../../console/access/sessions.js';
import { roles, type Role } from '../../console/api/access.js';
import { route, type Route, type SessionCookie } from '../../console/api/route.js';
import { flag, list, name, object, oneOf, optional, text } from '../../console/api/shape.js';
import { Secret } from '../../crypto/secret.js';
import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { Accounts, SecondFactor } from './accounts.js';
import type { Lockout } from './lockout.js';
import type { Pending, Tickets } from './logins.js';
import { usedPasskey, type UsedPasskey } from './passkey.js';

export const token = text({ max: 43, pattern: /^[A-Za-z0-9_-]{43}$/, form: 'as it was given' });
export const password = text({ max: limits.passphrase_bytes_max });
export const totpCode = text({ max: 6, pattern: /^[0-9]{6}$/, form: 'six digits' });
export const who = object({ name: text({ max: 100 }), role: oneOf(...roles) });

export interface StaffParts {
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  readonly tickets: Tickets;
  readonly lockout: Lockout;
  readonly now: () => number;
}

/** Text of a form as a secret. The text itself is the runtime's to forget. */
export function secretOf(text: string): Secret {
  return Secret.take(Buffer.from(text, 'utf8'));
}

export function enter(
  parts: StaffParts,
  session: SessionCookie,
  person: { name: string; role: Role },
): { name: string; role: Role } {
  const { sessions, now } = parts;
  const caller = { name: person.name, role: person.role, by: 'session' as const, id: '' };
  session.set(sessions.begin(caller, now()), limits.session_life_ms_max / 1000);
  return { name: person.name, role: person.role };
}

/** In two steps: name and password, then a second factor. Both count towards the lock-out. */
export function loginRoutes(parts: StaffParts): Route[] {
  const { accounts, tickets, lockout, now } = parts;
  return [
    route({
      method: 'POST',
      path: '/api/v1/login',
      summary: 'First step of a login: name and password',
      role: 'anyone',
      body: object({ name, password }),
      reply: object({
        ticket: token,
        challenge: token,
        totp: flag,
        passkeys: list(text({ max: 1400 }), { max: limits.passkeys_per_account_max }),
      }),
      async handle({ body, source, about }) {
        about(body.name);
        const attempt = lockout.begin(body.name, source, now());
        if (!attempt.ok) return attempt;
        const account = await accounts.checkPassword(body.name, secretOf(body.password));
        if (!account.ok) {
          if (account.refusal.code === 'not-authenticated') attempt.value.wrong();
          else attempt.value.neither();
          return account;
        }
        // Earlier failures are forgiven once the second factor was right too.
        attempt.value.neither();
        const made = tickets.make({ name: body.name, purpose: 'login' }, now());
        const passkeys = account.value.passkeys.map(({ id }) => id);
        const { challenge } = made.pending;
        const totp = account.value.totp !== undefined;
        return ok({ ticket: made.ticket, challenge, totp, passkeys });
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/login/second',
      summary: 'Second step of a login: a code, a passkey, or a recovery code',
      role: 'anyone',
      body: object({
        ticket: token,
        totp: optional(totpCode),
        passkey: optional(usedPasskey),
        recovery: optional(text({ max: 40 })),
      }),
      reply: who,
      async handle({ body, session, origin, source, about }) {
        const pending = tickets.look(body.ticket, 'login', now());
        if (!pending.ok) return pending;
        const { name } = pending.value;
        about(name);
        const second = secondOf(body, pending.value, origin);
        if (!second.ok) return second;
        const attempt = lockout.begin(name, source, now());
        if (!attempt.ok) return attempt;
        const right = await accounts.checkSecond(name, second.value, now());
        if (!right.ok) {
          if (right.refusal.code === 'wrong-second-factor') attempt.value.wrong();
          else attempt.value.neither();
          return right;
        }
        attempt.value.right();
        const account = await accounts.get(name);
        if (!account.ok) return account;
        // It may have been closed, or reset, since the code was judged.
        if (account.value.state !== 'active' || !tickets.stands(body.ticket))
          return refuse('not-authenticated', 'the account has just been changed');
        tickets.use(body.ticket);
        return ok(enter(parts, session, account.value));
      },
    }),
  ];
}

function secondOf(
  body: {
    readonly totp?: string;
    readonly passkey?: UsedPasskey;
    readonly recovery?: string;
  },
  { challenge }: Pending,
  origin: string,
): Result<SecondFactor> {
  if (body.totp !== undefined) return ok({ kind: 'totp', code: body.totp });
  if (body.passkey) return ok({ kind: 'passkey', used: body.passkey, ceremony: { challenge, origin } });
  if (body.recovery !== undefined) return ok({ kind: 'recovery', code: body.recovery });
  return refuse('bad-input', 'one of totp, passkey, recovery');
}
