import type { IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { errorEntry } from '../../protocol/errors/index.js';
import { parseJson } from '../../protocol/json.js';
import { limits } from '../../protocol/limits.js';
import { messageOf, type Log } from '../../protocol/log.js';
import { ok, refuse, type Refusal, type Result } from '../../protocol/result.js';
import { mayCall, mayReach, type Access, type Caller } from './access.js';
import { checkHost, checkOrigin, securityHeaders } from './guard.js';
import { sourceOf } from './source.js';
import { openApiDocument } from './openapi.js';
import { route, type AnyRoute, type Route, type SessionCookie } from './route.js';
import { opaque } from './shape.js';
import { errorBody, statusOf } from './status.js';
import { serveEvents } from './events.js';

export interface ApiOptions {
  readonly title: string;
  readonly version: string;
  readonly host: string;
  readonly port: number;
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Names, beside addresses and localhost, under which a browser may call us. */
  readonly names: readonly string[];
  readonly access: Access;
  readonly routes: readonly AnyRoute[];
  /** The room whose page is served. */
  readonly page?: 'console-cluster' | 'console-app';
  readonly log: Log;
  readonly now: () => number;
  /** Told of every call that is not a plain read, done or refused, and of every one that the caller may not make. */
  audit(caller: Caller, call: AuditedCall): Promise<void>;
  /** Told of every call, for the figures. */
  counted?(method: string, path: string, code: string): void;
  /** Told of connections that ask to be upgraded; without it, they are refused. */
  readonly upgraded?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** What whoever asks for any other path is told, instead of that there is none. */
  readonly otherwise?: () => Refusal;
  /** In tests: replies are held to their documented form too. */
  readonly checkReplies?: boolean;
}

export interface AuditedCall {
  readonly route: string;
  /** Whom or what it is about: what stands in its path, and what the route says of it. */
  readonly about?: string | undefined;
  readonly source?: string | undefined;
  readonly refusal: Refusal | undefined;
}

export interface Api {
  readonly url: string;
  close(): Promise<void>;
}

const nobody: Caller = { name: 'nobody', role: 'view', by: 'token', id: '' };

export async function serveApi(options: ApiOptions): Promise<Result<Api>> {
  const app = frame(options);
  const described: Route = route({
    method: 'GET',
    path: '/api/v1/openapi.json',
    summary: 'This document',
    role: 'view',
    reply: opaque('an OpenAPI 3.1 document'),
    handle: () => Promise.resolve(ok(document)),
  });
  const document = openApiDocument(options, [...options.routes, described]);
  const streams = new PerKey(limits.api_streams_per_caller_max);
  for (const line of [...options.routes, described]) mount(app, line, { ...options, streams });
  if (options.page !== undefined) await servePage(app, options.page);
  try {
    await app.listen({ host: options.host, port: options.port });
  } catch (error) {
    return refuse('cannot-listen', messageOf(error));
  }
  const upgraded = new Set<Duplex>();
  if (options.upgraded)
    app.server.on('upgrade', (request, socket, head) => {
      upgraded.add(socket);
      socket.once('close', () => upgraded.delete(socket));
      (socket as Socket).setTimeout(0);
      options.upgraded?.(request, socket, head);
    });
  const { port } = app.server.address() as AddressInfo;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return ok({
    url: `${options.tls ? 'https' : 'http'}://${host}:${port}`,
    close: async () => {
      for (const socket of upgraded) socket.destroy();
      await app.close();
    },
  });
}

/** The page's own files and those that both consoles share, under the paths they have in the sources. */
async function servePage(app: FastifyInstance, room: 'console-cluster' | 'console-app'): Promise<void> {
  for (const name of ['console', room]) {
    await app.register(fastifyStatic, {
      root: fileURLToPath(new URL(`../../${name}/page`, import.meta.url)),
      prefix: `/${name}/page/`,
      index: false,
      cacheControl: false,
      decorateReply: name === room,
      allowedPath: (path) => /(^|\/)[a-z-]+\.(html|css|js|svg)$/.test(path),
    });
  }
  app.get('/', (_request, reply) => reply.header('cache-control', 'no-cache').sendFile('index.html'));
}

function frame(options: ApiOptions): FastifyInstance {
  const app = fastify({
    ...(options.tls ? { https: options.tls } : {}),
    logger: false,
    bodyLimit: limits.api_body_bytes_max,
    requestTimeout: limits.api_request_ms_max,
    connectionTimeout: limits.api_connection_idle_ms_max,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    clientErrorHandler: (_error, socket) => void socket.destroy(),
  }) as unknown as FastifyInstance;
  app.server.maxConnections = limits.api_connections_max;
  const perSource = new PerKey(limits.api_connections_per_source_max);
  app.server.on('connection', (socket: Socket) => {
    const source = sourceOf(socket.remoteAddress);
    if (perSource.enter(source)) socket.once('close', () => perSource.leave(source));
    else socket.destroy();
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    const parsed = parseJson(body);
    if (parsed.ok) done(null, parsed.value);
    else done(new Rejection(parsed.refusal));
  });
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers(securityHeaders);
    const host = checkHost(request.headers.host, options.names);
    if (!host.ok) throw new Rejection(host.refusal);
  });
  app.setErrorHandler((error, _request, reply) => {
    answer(reply, refusalFrom(error, options.log));
  });
  app.setNotFoundHandler((request, reply) => {
    answer(
      reply,
      options.otherwise?.() ?? {
        code: 'no-such-route',
        detail: `${request.method} ${request.url.split('?')[0]}`,
      },
    );
  });
  return app;
}

/** Carries a refusal through fastify, which knows only errors. */
class Rejection extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(refusal.code);
    this.refusal = refusal;
  }
}

function refusalFrom(error: unknown, log: Log): Refusal {
  if (error instanceof Rejection) return error.refusal;
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return { code: 'too-large', detail: `at most ${limits.api_body_bytes_max} bytes` };
  if (typeof code === 'string' && code.startsWith('FST_ERR_CTP'))
    return { code: 'bad-input', detail: 'the body must be JSON, with content-type application/json' };
  log.error('api-fault', { message: messageOf(error), stack: error instanceof Error ? error.stack : '' });
  return { code: 'internal', detail: errorEntry('internal').what };
}

function answer(reply: FastifyReply, refusal: Refusal): void {
  void reply
    .code(statusOf(refusal.code))
    .header('cache-control', 'no-store')
    .type('application/json')
    .send(JSON.stringify(errorBody(refusal)));
}

function mount(
  app: FastifyInstance,
  line: AnyRoute,
  options: ApiOptions & { readonly streams: PerKey },
): void {
  const name = `${line.method} ${line.path}`;
  app.route({
    method: line.method,
    url: line.path.replaceAll(/\{([a-zA-Z]+)\}/g, ':$1'),
    onRequest: async (request) => {
      const { known, may } = await callerOf(request, line, options);
      if (!may.ok) {
        const { refusal } = may;
        options.counted?.(line.method, line.path, refusal.code);
        // Who is known and tries what it may not is written down, reading too.
        if (known) await options.audit(known, { ...audited(name, request), refusal });
        throw new Rejection(refusal);
      }
      callers.set(request, may.value);
    },
    handler: async (request, reply) => {
      if (line.kind === 'stream') {
        const started = line.open(request);
        if (!started.ok) throw new Rejection(started.refusal);
        const listener = callers.get(request) ?? nobody;
        if (!options.streams.enter(listener.id))
          throw new Rejection({ code: 'too-many', detail: `streams of events of ${listener.name}` });
        reply.raw.once('close', () => options.streams.leave(listener.id));
        return serveEvents(started.value, request, reply, async () =>
          options.access.holds(listener, options.now()),
        );
      }
      if (line.kind === 'text') {
        const text = await line.read();
        if (!text.ok) throw new Rejection(text.refusal);
        return reply.header('cache-control', 'no-store').type(line.contentType).send(text.value);
      }
      const caller = callers.get(request) ?? nobody;
      const { params, query, body } = request;
      const session = cookieOn(reply, options.tls !== undefined);
      const origin = `${options.tls ? 'https' : 'http'}://${request.headers.host}`;
      let subject: string | undefined;
      const about = (said: string): void => void (subject = said);
      const source = sourceOf(request.ip);
      const done = await line.run({ caller, source, about, params, query, body, session, origin });
      options.counted?.(line.method, line.path, done.ok ? 'ok' : done.refusal.code);
      const refusal = done.ok ? undefined : done.refusal;
      if (line.method !== 'GET') await options.audit(caller, { ...audited(name, request, subject), refusal });
      if (!done.ok) throw new Rejection(done.refusal);
      if (options.checkReplies) checkReply(line, done.value);
      return reply
        .header('cache-control', 'no-store')
        .type('application/json')
        .send(JSON.stringify(done.value));
    },
  });
}

/** What stands in the path says about what a call is: which lease, whose account. */
function audited(route: string, request: FastifyRequest, said?: string): Omit<AuditedCall, 'refusal'> {
  const inPath = Object.values((request.params ?? {}) as Readonly<Record<string, string>>);
  const about = [...inPath, ...(said === undefined ? [] : [said])]
    .join(' ')
    .slice(0, limits.audit_about_chars_max);
  return { route, ...(about === '' ? {} : { about }), source: sourceOf(request.ip) };
}

/** How many of something each has at once. */
class PerKey {
  readonly #counts = new Map<string, number>();

  constructor(readonly most: number) {}

  enter(key: string): boolean {
    const count = this.#counts.get(key) ?? 0;
    if (count >= this.most) return false;
    this.#counts.set(key, count + 1);
    return true;
  }

  leave(key: string): void {
    const left = (this.#counts.get(key) ?? 1) - 1;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }
}

/**
 * Over TLS the name of the cookie itself says that no other site, name or path can have set it. On the loopback there is no TLS, and browsers take no
 * such name there.
 */
function cookieOn(reply: FastifyReply, secure: boolean): SessionCookie {
  const write = (value: string, life_s: number): void => {
    const flags = `Path=/; HttpOnly; SameSite=Strict; Max-Age=${life_s}${secure ? '; Secure' : ''}`;
    void reply.header('set-cookie', `${secure ? '__Host-session' : 'session'}=${value}; ${flags}`);
  };
  return { set: write, clear: () => write('', 0) };
}

const callers = new WeakMap<FastifyRequest, Caller>();

interface Called {
  /** Who it is, also when the call is refused. */
  readonly known?: Caller;
  readonly may: Result<Caller>;
}

async function callerOf(request: FastifyRequest, line: AnyRoute, options: ApiOptions): Promise<Called> {
  if (line.role === 'anyone') {
    const site = checkOrigin({ ...nobody, by: 'session' }, line.method, request.headers);
    return { may: site.ok || request.headers.origin === undefined ? ok(nobody) : site };
  }
  const credentials = {
    token: /^Bearer ([A-Za-z0-9_-]{20,100})$/.exec(request.headers.authorization ?? '')?.[1],
    session: sessionOf(request.headers.cookie, options.tls !== undefined),
  };
  const caller = await options.access.authenticate(credentials, options.now());
  if (!caller.ok) return { may: caller };
  const known = caller.value;
  const site = checkOrigin(known, line.method, request.headers);
  if (!site.ok) return { known, may: site };
  if (!mayReach(known, line.path))
    return { known, may: refuse('not-permitted', `${known.name} is for ${known.areas?.join(', ')} only`) };
  const may = mayCall(known.role, line.role)
    ? caller
    : refuse('not-permitted', `${known.name} may ${known.role}; this needs ${line.role}`);
  return { known, may };
}

export function sessionOf(cookie: string | undefined, secure: boolean): string | undefined {
  const pattern = secure
    ? /(?:^|; )__Host-session=([A-Za-z0-9_-]{43})(?:;|$)/
    : /(?:^|; )session=([A-Za-z0-9_-]{43})(?:;|$)/;
  return pattern.exec(cookie ?? '')?.[1];
}

function checkReply(line: Route, value: unknown): void {
  const plain: unknown = JSON.parse(JSON.stringify(value));
  const parsed = line.reply.parse(plain, 'reply');
  if (!parsed.ok) throw new Error(`${line.path}: ${parsed.refusal.where} ${parsed.refusal.detail}`);
}
