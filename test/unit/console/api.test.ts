import { request } from 'node:http';
import { expect } from 'chai';
import { roles, tokenDigest, type Role } from '../../../console/api/access.js';
import { route, streamRoute, type Route, type StreamRoute } from '../../../console/api/route.js';
import { serveApi, type Api } from '../../../console/api/server.js';
import { packageVersion } from '../../../console/api/version.js';
import { list, name, object, optional, text, wholeText } from '../../../console/api/shape.js';
import { accessRoutes } from '../../../console/access/routes.js';
import { Sessions } from '../../../console/access/sessions.js';
import { limits } from '../../../protocol/limits.js';
import { silentLog } from '../../../protocol/log.js';
import { ok, refuse } from '../../../protocol/result.js';

const tokens: Record<Role, string> = {
  view: 'v'.repeat(43),
  operate: 'o'.repeat(43),
  administer: 'a'.repeat(43),
};
const sessions = new Sessions({
  find(digest) {
    const role = roles.find((candidate) => tokenDigest(tokens[candidate]) === digest);
    return Promise.resolve(role && { name: role, role, until: Number.MAX_SAFE_INTEGER });
  },
});

const things = object({ things: list(name, { max: 10 }) });
const routes: (Route | StreamRoute)[] = [
  ...accessRoutes(sessions, () => 1000),
  route({
    method: 'GET',
    path: '/api/v1/things',
    summary: 'Things',
    role: 'view',
    query: object({ limit: optional(wholeText({ min: 1, max: 10 })) }),
    reply: things,
    handle: ({ query }) => Promise.resolve(ok({ things: ['a', 'b'].slice(0, query.limit ?? 2) })),
  }),
  route({
    method: 'PUT',
    path: '/api/v1/things/{name}',
    summary: 'Make a thing',
    role: 'operate',
    params: object({ name }),
    body: object({ note: text({ max: 10 }) }),
    reply: object({ name, note: text({ max: 10 }) }),
    handle: ({ params, body }) => Promise.resolve(ok({ name: params.name, note: body.note })),
  }),
  route({
    method: 'DELETE',
    path: '/api/v1/things/{name}',
    summary: 'Remove a thing',
    role: 'administer',
    params: object({ name }),
    reply: object({}),
    handle: ({ params }) => Promise.resolve(refuse('not-found', params.name)),
  }),
  route({
    method: 'GET',
    path: '/api/v1/fault',
    summary: 'A bug of ours',
    role: 'view',
    reply: object({}),
    handle: () => Promise.reject(new Error('with a secret in it')),
  }),
  streamRoute({
    path: '/api/v1/ticks',
    summary: 'Ticks',
    role: 'view',
    event: object({ tick: wholeText({ min: 0, max: 9 }) }),
    start: () => (send, closed) => {
      send({ tick: '1' });
      closed.addEventListener('abort', () => void ended.push('tick'));
    },
  }),
];
const ended: string[] = [];

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

describe('the API frame', () => {
  let api: Api;
  const audited: string[] = [];

  before(async () => {
    const served = await serveApi({
      title: 'test',
      version: packageVersion(),
      host: '127.0.0.1',
      port: 0,
      names: ['console.example'],
      access: sessions,
      routes,
      log: silentLog,
      now: () => 1000,
      audit: async (caller, { route: line, about, source, refusal }) =>
        void audited.push(`${caller.name} ${line} ${about ?? ''} ${source} ${refusal?.code ?? 'done'}`),
      checkReplies: true,
    });
    if (!served.ok) throw new Error(served.refusal.detail);
    api = served.value;
  });
  after(async () => api.close());

  async function call(
    method: string,
    path: string,
    headers: Record<string, string> = {},
    body?: string | Buffer,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const sent = request(`${api.url}${path}`, { method, headers }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
        );
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }
  const as = (role: Role): Record<string, string> => ({ authorization: `Bearer ${tokens[role]}` });
  const json = { 'content-type': 'application/json' };
  const codeOf = (answer: Answer): string =>
    (JSON.parse(answer.body) as { error: { code: string } }).error.code;

  it('lets each role call exactly the routes that need no more than it', async () => {
    for (const line of routes.filter(({ role }) => role !== 'anyone')) {
      const path = line.path.replace('{name}', 'x');
      const stranger = await call(line.method, path);
      expect(stranger.status, `nobody ${line.method} ${line.path}`).to.equal(401);
      if (line.kind === 'stream') continue;
      for (const role of roles) {
        const answer = await call(line.method, path, as(role));
        const allowed = roles.indexOf(role) >= roles.indexOf(line.role as Role);
        expect(answer.status === 403, `${role} ${line.method} ${line.path}`).to.equal(!allowed);
      }
    }
  });

  it('refuses a host name that is not its own, as DNS rebinding would bring', async () => {
    const rebound = await call('GET', '/api/v1/things', { ...as('view'), host: 'evil.example' });
    expect(rebound.status).to.equal(421);
    for (const host of ['console.example', 'localhost:80', '127.0.0.1', '[::1]:1'])
      expect((await call('GET', '/api/v1/things', { ...as('view'), host })).status, host).to.equal(200);
  });

  it('puts security headers on every answer and keeps the API out of caches', async () => {
    for (const path of ['/api/v1/things', '/api/v1/fault', '/nowhere']) {
      const answer = await call('GET', path, as('view'));
      expect(answer.headers['content-security-policy']).to.match(
        /^default-src 'none';.*frame-ancestors 'none'/,
      );
      expect(answer.headers['content-security-policy']).not.to.include('unsafe');
      expect(answer.headers['cache-control']).to.equal('no-store');
    }
  });

  it('names the place of every fault in the input', async () => {
    const put = async (body: string): Promise<string> => {
      const answer = await call('PUT', '/api/v1/things/x', { ...as('operate'), ...json }, body);
      return answer.status === 200 ? 'done' : answer.body;
    };
    expect(await put('{"note":"n"}')).to.equal('done');
    expect(await put('{"note":"n","more":1}')).to.include('"where":"more"');
    expect(await put('{"note":"n","note":"m"}')).to.include('stands twice');
    expect(await put('{"note":')).to.include('not valid JSON');
    expect(await put('{"note":7}')).to.include('"where":"note"');
    expect((await call('GET', '/api/v1/things?limit=99', as('view'))).body).to.include(
      '"where":"query.limit"',
    );
    expect((await call('GET', '/api/v1/things?other=1', as('view'))).body).to.include(
      '"where":"query.other"',
    );
    const form = { ...as('operate'), 'content-type': 'application/x-www-form-urlencoded' };
    expect((await call('PUT', '/api/v1/things/x', form, 'note=n')).status).to.equal(400);
  });

  it('refuses a body beyond the limit', async () => {
    const headers = { ...as('operate'), ...json, 'content-length': String(limits.api_body_bytes_max + 1) };
    const answer = await call('PUT', '/api/v1/things/x', headers, '{');
    expect(answer.status).to.equal(413);
  });

  it('answers a fault of its own without saying anything of it', async () => {
    const answer = await call('GET', '/api/v1/fault', as('administer'));
    expect(answer.status).to.equal(500);
    expect(answer.body).not.to.include('secret');
  });

  it('answers what is not known with the catalogue’s form', async () => {
    const answer = await call('DELETE', '/api/v1/things/x', as('administer'));
    expect(answer.status).to.equal(404);
    expect(codeOf(answer)).to.equal('not-found');
    expect(JSON.parse(answer.body)).to.have.nested.property('error.todo');
  });

  it('opens one session for one login link, and ends it', async () => {
    const { code } = JSON.parse((await call('POST', '/api/v1/login-links', as('operate'))).body) as {
      code: string;
    };
    const begin = async (): Promise<Answer> =>
      call('POST', '/api/v1/session', json, JSON.stringify({ code }));
    const first = await begin();
    const cookie = String(first.headers['set-cookie']);
    expect(cookie).to.match(/^session=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=/);
    expect((await begin()).status).to.equal(401);
    const session = { cookie: cookie.split(';')[0] ?? '' };
    expect((await call('GET', '/api/v1/things', session)).status).to.equal(200);
    const page = { ...session, origin: api.url };
    const own = { ...page, ...json };
    const note = '{"note":"n"}';
    expect((await call('PUT', '/api/v1/things/x', own, note)).status).to.equal(200);
    for (const foreign of [{}, { origin: 'https://evil.example' }, { origin: 'null' }]) {
      const headers = { ...session, ...json, ...foreign };
      const answer = await call('PUT', '/api/v1/things/x', headers, note);
      expect(codeOf(answer)).to.equal('cross-site');
    }
    expect((await call('DELETE', '/api/v1/things/x', page)).status).to.equal(403);
    expect((await call('DELETE', '/api/v1/session', page)).status).to.equal(200);
    expect((await call('GET', '/api/v1/things', session)).status).to.equal(401);
  });

  it('serves a document that lists exactly the routes of the table', async () => {
    const document = JSON.parse((await call('GET', '/api/v1/openapi.json', as('view'))).body) as {
      openapi: string;
      paths: Record<string, Record<string, { 'x-role': string; parameters?: { name: string }[] }>>;
    };
    expect(document.openapi).to.equal('3.1.0');
    const listed = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, line]) => `${method.toUpperCase()} ${path} ${line['x-role']}`),
    );
    const table = routes.map(({ method, path, role }) => `${method} ${path} ${role}`);
    expect(listed.sort()).to.deep.equal([...table, 'GET /api/v1/openapi.json view'].sort());
    for (const [path, methods] of Object.entries(document.paths))
      for (const line of Object.values(methods))
        for (const [, parameter] of path.matchAll(/\{(\w+)\}/g))
          expect(line.parameters?.some(({ name }) => name === parameter)).to.equal(true);
  });

  it('sends events to a listener until it goes', async () => {
    const before = ended.length;
    await new Promise<void>((resolve, reject) => {
      const sent = request(`${api.url}/api/v1/ticks`, { headers: as('view') }, (response) => {
        expect(response.headers['content-type']).to.equal('text/event-stream');
        expect(response.headers['x-frame-options']).to.equal('DENY');
        let text = '';
        response.on('data', (chunk: Buffer) => {
          text += chunk.toString();
          if (!text.includes('data: {"tick":"1"}\n\n')) return;
          response.destroy();
          resolve();
        });
      });
      sent.on('error', reject);
      sent.end();
    });
    while (ended.length === before) await new Promise((resolve) => setImmediate(resolve));
  });

  it('writes down who did or tried what', () => {
    expect(audited).to.include('operate PUT /api/v1/things/{name} x 127.0.0.1 done');
    expect(audited).to.include('administer DELETE /api/v1/things/{name} x 127.0.0.1 not-found');
  });

  it('writes down who tried what it may not, reading too', async () => {
    await call('DELETE', '/api/v1/things/y', as('operate'));
    expect(audited.at(-1)).to.equal('operate DELETE /api/v1/things/{name} y 127.0.0.1 not-permitted');
    await call('GET', '/api/v1/fault', as('view'));
    const before = audited.length;
    expect((await call('DELETE', '/api/v1/things/y')).status).to.equal(401);
    expect(audited.length, 'a stranger').to.equal(before);
  });

  it('ends the events of a listener whose token or session has ended', async () => {
    let session = '';
    const { code } = JSON.parse((await call('POST', '/api/v1/login-links', as('view'))).body) as {
      code: string;
    };
    const begun = await call('POST', '/api/v1/session', json, JSON.stringify({ code }));
    session = String(begun.headers['set-cookie']).split(';')[0] ?? '';
    await new Promise<void>((resolve, reject) => {
      const sent = request(`${api.url}/api/v1/ticks`, { headers: { cookie: session } }, (response) => {
        response.resume();
        response.once('end', resolve);
        sessions.endAllOf('view');
      });
      sent.on('error', reject);
      sent.end();
    });
  });
});
