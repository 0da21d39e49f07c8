import { limits } from '../../protocol/limits.js';
import { ok } from '../../protocol/result.js';
import { roles } from '../api/access.js';
import { route, type Route } from '../api/route.js';
import { object, oneOf, text } from '../api/shape.js';
import type { Sessions } from './sessions.js';

const who = object({ name: text({ max: 100 }), role: oneOf(...roles) });
const code = text({ max: 100, pattern: /^[A-Za-z0-9_-]{43}$/, form: 'the code of a login link' });

/** How a person comes in and goes out. */
export function accessRoutes(sessions: Sessions, now: () => number): Route[] {
  return [
    route({
      method: 'POST',
      path: '/api/v1/login-links',
      summary: 'Make a link that opens the page once, as the caller, within two minutes',
      role: 'view',
      reply: object({ code }),
      handle: ({ caller }) => Promise.resolve(ok({ code: sessions.makeLink(caller, now()) })),
    }),
    route({
      method: 'POST',
      path: '/api/v1/session',
      summary: 'Begin a session with the code of a login link',
      role: 'anyone',
      body: object({ code }),
      reply: who,
      async handle({ body, session }) {
        const caller = sessions.useLink(body.code, now());
        if (!caller.ok) return caller;
        session.set(sessions.begin(caller.value, now()), limits.session_life_ms_max / 1000);
        return ok({ name: caller.value.name, role: caller.value.role });
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/session',
      summary: 'Who I am',
      role: 'view',
      reply: who,
      handle: ({ caller }) => Promise.resolve(ok({ name: caller.name, role: caller.role })),
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/session',
      summary: 'End the session',
      role: 'view',
      reply: object({}),
      async handle({ caller, session }) {
        sessions.end(caller);
        session.clear();
        return ok({});
      },
    }),
  ];
}
