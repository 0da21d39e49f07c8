import { ok, type Result } from '../../protocol/result.js';
import type { Caller, Role } from './access.js';
import { object, type JsonSchema, type Shape } from './shape.js';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

export interface SessionCookie {
  set(token: string, life_s: number): void;
  clear(): void;
}

export interface Call<P, Q, B> {
  readonly session: SessionCookie;
  /** Scheme, name and port under which the caller reached us; the name is one of ours. */
  readonly origin: string;
  readonly caller: Caller;
  /** The address of the other side; a network of IPv6 counts as one. */
  readonly source: string;
  /** Says for the audit whom or what the call is about, where its path does not. */
  readonly about: (subject: string) => void;
  readonly params: P;
  readonly query: Q;
  readonly body: B;
}

interface RouteParts<P, Q, B, R> {
  readonly method: Method;
  /** With `{name}` for parameters, as in OpenAPI. */
  readonly path: string;
  readonly summary: string;
  /** The least role that may call it; `anyone` only for what leads to a session. */
  readonly role: Role | 'anyone';
  readonly params?: Shape<P>;
  readonly query?: Shape<Q>;
  readonly body?: Shape<B>;
  readonly reply: Shape<R>;
  handle(call: Call<P, Q, B>): Promise<Result<R>>;
}

/** What came in, not yet looked at. */
export interface RawCall {
  readonly session: SessionCookie;
  readonly origin: string;
  readonly caller: Caller;
  readonly source: string;
  readonly about: (subject: string) => void;
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

/** One line of the route table: what the server serves and the OpenAPI document says. */
export interface Route {
  readonly kind: 'json';
  readonly method: Method;
  readonly path: string;
  readonly summary: string;
  readonly role: Role | 'anyone';
  readonly schemas: {
    readonly params: JsonSchema;
    readonly query: JsonSchema;
    readonly body: JsonSchema | undefined;
    readonly reply: JsonSchema;
  };
  readonly reply: Shape<unknown>;
  run(call: RawCall): Promise<Result<unknown>>;
}

/** Plain text for other programs: figures, signs of life. */
export interface TextRoute {
  readonly kind: 'text';
  readonly method: 'GET';
  readonly path: string;
  readonly summary: string;
  readonly role: Role | 'anyone';
  readonly contentType: string;
  read(): Promise<Result<string>>;
}

export type AnyRoute = Route | StreamRoute | TextRoute;

/** Server-sent events: each event is one JSON value of this shape. */
export interface StreamRoute {
  readonly kind: 'stream';
  readonly method: 'GET';
  readonly path: string;
  readonly summary: string;
  readonly role: Role;
  readonly event: Shape<unknown>;
  readonly schemas: { readonly params: JsonSchema; readonly query: JsonSchema };
  /** What was asked is parsed before anything is sent. */
  open(call: Pick<RawCall, 'params' | 'query'>): Result<StreamStart>;
}

/** Calls `send` until `closed` aborts, or `done` when there is no more. */
export type StreamStart = (send: (event: unknown) => void, closed: AbortSignal, done: () => void) => void;

const nothing = object({});

/** Every part of the call is parsed before anything is done. */
export function route<P = object, Q = object, B = undefined, R = unknown>(
  parts: RouteParts<P, Q, B, R>,
): Route {
  const params: Shape<unknown> = parts.params ?? nothing;
  const query: Shape<unknown> = parts.query ?? nothing;
  return {
    kind: 'json',
    method: parts.method,
    path: parts.path,
    summary: parts.summary,
    role: parts.role,
    schemas: {
      params: params.schema,
      query: query.schema,
      body: parts.body?.schema,
      reply: parts.reply.schema,
    },
    reply: parts.reply,
    async run(call) {
      const readParams = params.parse(call.params, 'path');
      if (!readParams.ok) return readParams;
      const readQuery = query.parse(call.query, 'query');
      if (!readQuery.ok) return readQuery;
      const readBody: Result<unknown> = parts.body ? parts.body.parse(call.body, '') : ok(undefined);
      if (!readBody.ok) return readBody;
      return parts.handle({
        caller: call.caller,
        session: call.session,
        origin: call.origin,
        source: call.source,
        about: call.about,
        params: readParams.value as P,
        query: readQuery.value as Q,
        body: readBody.value as B,
      });
    },
  };
}

interface StreamParts<P, Q, E> {
  readonly path: string;
  readonly summary: string;
  readonly role: Role;
  readonly params?: Shape<P>;
  readonly query?: Shape<Q>;
  readonly event: Shape<E>;
  start(call: { readonly params: P; readonly query: Q }): StreamStart;
}

export function streamRoute<P = object, Q = object, E = unknown>(parts: StreamParts<P, Q, E>): StreamRoute {
  const params: Shape<unknown> = parts.params ?? nothing;
  const query: Shape<unknown> = parts.query ?? nothing;
  const { path, summary, role, event } = parts;
  return {
    kind: 'stream',
    method: 'GET',
    path,
    summary,
    role,
    event,
    schemas: { params: params.schema, query: query.schema },
    open(call) {
      const readParams = params.parse(call.params, 'path');
      if (!readParams.ok) return readParams;
      const readQuery = query.parse(call.query, 'query');
      if (!readQuery.ok) return readQuery;
      return ok(parts.start({ params: readParams.value as P, query: readQuery.value as Q }));
    },
  };
}
