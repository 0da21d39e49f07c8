import { newToken, roles, tokenDigest, type Caller, type Role } from '../../console/api/access.js';
import { route, type Route } from '../../console/api/route.js';
import { list, moment, name, object, oneOf, optional, text, whole } from '../../console/api/shape.js';
import type { KnownToken, TokenSource } from '../../console/access/sessions.js';
import type { KeyStore } from '../../console/store/port.js';
import { Records } from '../../console/store/records.js';
import { digestText, nameText } from '../../protocol/fields.js';
import { limits } from '../../protocol/limits.js';
import * as p from '../../protocol/parse.js';
import { ok, refuse, type Result } from '../../protocol/result.js';

const areaText = { max: 40, pattern: /^[a-z-]+$/, form: 'the first part of a path behind /api/v1/' };
const time = p.whole({ min: 0, max: 32_503_680_000_000 });

const tokenForm = p.object({
  v: p.whole({ min: 1, max: 1 }),
  name: nameText,
  role: p.oneOf(...roles),
  digest: digestText,
  areas: p.optional(p.list(p.text(areaText), { min: 1, max: 32 })),
  madeBy: p.text({ max: 100 }),
  made: time,
  until: time,
});
type Token = p.Parsed<typeof tokenForm>;

const unscoped = ['accounts', 'tokens', 'login-links'];
const areas = list(text(areaText), { min: 1, max: 32 });
const view = object({
  name,
  role: oneOf(...roles),
  areas: optional(areas),
  madeBy: text({ max: 100 }),
  made: moment,
  until: moment,
});

/** How a token stands in the audit; no account can have such a name. */
const callerName = (token: string): string => `token ${token}`;

/** Whoever came in by a token that was made for a program, or by what was made with it. */
export function isOfProgram({ name }: Caller): boolean {
  return name.startsWith(callerName(''));
}

/**
 * Tokens for programs: each with a name, the least role that serves, an end, and if so wanted only some areas of the API.
 *
 * INVARIANT: `#byDigest` holds exactly the tokens of the store, so that a call needs no reading of the disk.
 */
export class Tokens implements TokenSource {
  readonly #records: Records<Token>;
  readonly #now: () => number;
  readonly #byDigest = new Map<string, Token>();
  readonly #revoked: (caller: string) => void;

  constructor(store: KeyStore, now: () => number, revoked: (caller: string) => void) {
    this.#revoked = revoked;
    this.#records = new Records(store, 'token/', tokenForm);
    this.#now = now;
  }

  async open(): Promise<Result<true>> {
    const all = await this.#records.all();
    if (!all.ok) return all;
    for (const { value } of all.value) this.#byDigest.set(value.digest, value);
    return ok(true);
  }

  find(digest: string): Promise<KnownToken | undefined> {
    const token = this.#byDigest.get(digest);
    return Promise.resolve(token && { ...token, name: callerName(token.name) });
  }

  async make(
    caller: Caller,
    asked: { name: string; role: Role; days: number; areas?: readonly string[] },
  ): Promise<Result<{ token: string; until: number }>> {
    const now = this.#now();
    if (isOfProgram(caller))
      return refuse('not-permitted', 'a token of a program makes no tokens, which would outlive it');
    if (this.#byDigest.size >= limits.tokens_max)
      return refuse('too-many', `at most ${limits.tokens_max} tokens`);
    // Whoever could make tokens or accounts would be bound by no scope.
    if (asked.areas?.some((area) => unscoped.includes(area)))
      return refuse('bad-input', `no token is for ${unscoped.join(', ')} alone`, { where: 'areas' });
    const token = newToken();
    const until = now + asked.days * 86_400_000;
    const { name, role } = asked;
    const made: Token = {
      v: 1,
      name,
      role,
      digest: tokenDigest(token),
      ...(asked.areas ? { areas: asked.areas } : {}),
      madeBy: caller.name,
      made: now,
      until,
    };
    const written = await this.#records.put(name, made, 0);
    if (!written.ok)
      return written.refusal.code === 'store-conflict'
        ? refuse('already-there', `the token ${name}`)
        : written;
    this.#byDigest.set(made.digest, made);
    return ok({ token, until });
  }

  async revoke(name: string): Promise<Result<true>> {
    const found = await this.#records.get(name);
    if (!found.ok) return found;
    const removed = await this.#records.remove(name, found.value.revision);
    if (!removed.ok) return removed;
    this.#byDigest.delete(found.value.value.digest);
    this.#revoked(callerName(name));
    return ok(true);
  }

  routes(): Route[] {
    const named = object({ name });
    return [
      route({
        method: 'GET',
        path: '/api/v1/tokens',
        summary: 'All tokens for programs, without their secret part',
        role: 'administer',
        reply: object({ tokens: list(view, { max: limits.tokens_max }) }),
        handle: () => {
          const tokens = [...this.#byDigest.values()].map(({ name, role, areas, madeBy, made, until }) => ({
            name,
            role,
            ...(areas ? { areas } : {}),
            madeBy,
            made,
            until,
          }));
          return Promise.resolve(ok({ tokens }));
        },
      }),
      route({
        method: 'POST',
        path: '/api/v1/tokens',
        summary: 'Make a token for a program; it is shown once',
        role: 'administer',
        body: object({
          name,
          role: oneOf(...roles),
          days: whole({ min: 1, max: limits.token_days_max }),
          areas: optional(areas),
        }),
        reply: object({ token: text({ max: 43 }), until: moment }),
        handle: ({ caller, body, about }) => {
          about(`${body.name} ${body.role}`);
          return this.make(caller, body);
        },
      }),
      route({
        method: 'DELETE',
        path: '/api/v1/tokens/{name}',
        summary: 'Revoke a token',
        role: 'administer',
        params: named,
        reply: object({}),
        handle: async ({ params }) => {
          const revoked = await this.revoke(params.name);
          return revoked.ok ? ok({}) : revoked;
        },
      }),
    ];
  }
}
