import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import {
  newToken,
  tokenDigest,
  type Access,
  type Caller,
  type Credentials,
  type Role,
} from '../api/access.js';

interface Session {
  readonly caller: Caller;
  readonly until: number;
  idleUntil: number;
}

export interface KnownToken {
  readonly name: string;
  readonly role: Role;
  readonly until: number;
  readonly areas?: readonly string[] | undefined;
}

/** Where tokens that people made are kept; the daemon's own file token is not among them. */
export interface TokenSource {
  find(digest: string): Promise<KnownToken | undefined>;
}

/**
 * Who calls: by token, or by a session that began with a login link or a password.
 *
 * INVARIANTS:
 * - Only digests of tokens, sessions and codes are kept, so reading this memory gives nobody a way in.
 * - A login link works once. A session ends by idleness, by age, by logout, and with the daemon.
 * - What a session or token makes ends with it at the latest: no chain of links and sessions outlives what it began with.
 */
export class Sessions implements Access {
  readonly #sessions = new Map<string, Session>();
  readonly #links = new Map<string, { readonly caller: Caller; readonly until: number }>();
  readonly #sources: TokenSource[];

  constructor(tokens: TokenSource) {
    this.#sources = [tokens];
  }

  addTokens(source: TokenSource): void {
    this.#sources.push(source);
  }

  async #find(id: string): Promise<KnownToken | undefined> {
    for (const source of this.#sources) {
      const found = await source.find(id);
      if (found) return found;
    }
    return undefined;
  }

  async authenticate(credentials: Credentials, now: number): Promise<Result<Caller>> {
    if (credentials.token !== undefined) {
      const id = tokenDigest(credentials.token);
      const token = await this.#find(id);
      if (!token || token.until <= now)
        return refuse('not-authenticated', 'the token is not known or has ended');
      const { name, role, areas, until } = token;
      return ok({ name, role, by: 'token', id, until, ...(areas ? { areas } : {}) });
    }
    if (credentials.session === undefined) return refuse('not-authenticated');
    const session = this.#sessions.get(tokenDigest(credentials.session));
    if (!session || session.until <= now || session.idleUntil <= now)
      return refuse('not-authenticated', 'the session has ended');
    session.idleUntil = now + limits.session_idle_ms_max;
    return ok(session.caller);
  }

  async holds(caller: Caller, now: number): Promise<boolean> {
    if (caller.by === 'token') return ((await this.#find(caller.id))?.until ?? 0) > now;
    const session = this.#sessions.get(caller.id);
    return session !== undefined && session.until > now && session.idleUntil > now;
  }

  /** A code that opens one session for this caller, soon. */
  makeLink(caller: Caller, now: number): string {
    const code = newToken();
    this.#links.set(tokenDigest(code), { caller, until: now + limits.login_link_ms_max });
    trim(this.#links, limits.login_links_max);
    return code;
  }

  useLink(code: string, now: number): Result<Caller> {
    const id = tokenDigest(code);
    const link = this.#links.get(id);
    this.#links.delete(id);
    return link && link.until > now
      ? ok(link.caller)
      : refuse('not-authenticated', 'the login link was used before or has ended');
  }

  /** Gives the session's token, which only the browser keeps. */
  begin(caller: Caller, now: number): string {
    const token = newToken();
    const id = tokenDigest(token);
    const until = Math.min(now + limits.session_life_ms_max, caller.until ?? Infinity);
    this.#sessions.set(id, {
      caller: { ...caller, by: 'session', id, until },
      until,
      idleUntil: now + limits.session_idle_ms_max,
    });
    const mine = [...this.#sessions].filter(([, session]) => session.caller.name === caller.name);
    for (const [oldest] of mine.slice(0, -limits.sessions_per_name_max)) this.#sessions.delete(oldest);
    trim(this.#sessions, limits.sessions_max);
    return token;
  }

  end(caller: Caller): void {
    this.#sessions.delete(caller.id);
  }

  /** Ends every session of a person whose account was changed or closed, or all but the one in which that was done; and what would begin one. */
  endAllOf(name: string, but?: string): void {
    for (const [id, session] of this.#sessions)
      if (session.caller.name === name && id !== but) this.#sessions.delete(id);
    for (const [id, { caller }] of this.#links) if (caller.name === name) this.#links.delete(id);
  }
}

/** Maps keep the order of insertion, so the first is the oldest. */
function trim(map: Map<string, unknown>, most: number): void {
  for (const id of map.keys()) {
    if (map.size <= most) return;
    map.delete(id);
  }
}
