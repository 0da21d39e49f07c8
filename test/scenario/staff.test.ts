import { expect } from 'chai';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { roles, type Role } from '../../console/api/access.js';
import { Authenticator } from '../fakes/authenticator.js';
import { RealConsole } from '../fakes/console.js';
import { Documented } from '../fakes/documented.js';
import { needs } from './staff-routes.js';

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: Record<string, unknown>;
  readonly cookie: string;
}
const codeOf = ({ body }: Answer): string | undefined =>
  (body['error'] as { code?: string } | undefined)?.code;

describe('the staff of a facility', function () {
  this.timeout(120_000);
  const landlord = new RealConsole('console-cluster');
  let url = '';
  const passwords = {
    view: 'correct horse battery',
    operate: 'staple of the hall',
    administer: 'thirty white rooms',
  };
  const cookies = new Map<Role, string>();
  const secrets = new Map<string, Authenticator>();
  let recovery: readonly string[] = [];

  before(async () => {
    landlord.init();
    await landlord.run();
    url = (JSON.parse(readFileSync(join(landlord.dir, 'running.json'), 'utf8')) as { url: string }).url;
  });
  after(async () => landlord.remove());

  async function call(
    method: string,
    path: string,
    by: Record<string, string> = {},
    body?: unknown,
  ): Promise<Answer> {
    const stopped = new AbortController();
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: { origin: url, ...by, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      signal: stopped.signal,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const type = answer.headers.get('content-type') ?? '';
    const json = type.startsWith('application/json');
    const result = {
      status: answer.status,
      type,
      body: json ? ((await answer.json()) as Record<string, unknown>) : {},
      cookie: /^(session=[^;]*)/.exec(answer.headers.get('set-cookie') ?? '')?.[1] ?? '',
    };
    stopped.abort();
    return result;
  }

  async function open(name: string, role: Role, code: string): Promise<Answer> {
    const asked = await call('POST', '/api/v1/invitation', {}, { code });
    expect(asked.body).to.include({ name, role });
    const secret = new Authenticator(String(asked.body['totpSecret']));
    secrets.set(name, secret);
    const totp = secret.code(-1);
    const { ticket } = asked.body;
    return call('POST', '/api/v1/invitation/accept', {}, { ticket, password: passwords[role], totp });
  }

  const first = async (name: string, password: string): Promise<Answer> =>
    call('POST', '/api/v1/login', {}, { name, password });
  const second = async (ticket: unknown, given: object): Promise<Answer> =>
    call('POST', '/api/v1/login/second', {}, { ticket, ...given });

  it('has nobody at first, and only who can read the files of the daemon makes the first administrator', async () => {
    expect(codeOf(await first('administer', passwords.administer))).to.equal('not-authenticated');
    expect(codeOf(await call('POST', '/api/v1/accounts', {}, { name: 'x', role: 'administer' }))).to.equal(
      'not-authenticated',
    );
    expect(landlord.must('accounts', 'list')).to.include('accounts invite');
  });

  for (const role of roles)
    it(`lets a person in who may ${role}: a link, a password of their own, a second factor`, async () => {
      const made = JSON.parse(landlord.must('accounts', 'invite', role, '--role', role, '--json')) as {
        code: string;
      };
      const weak = await call('POST', '/api/v1/invitation', {}, { code: made.code });
      const { ticket } = weak.body;
      expect(
        codeOf(
          await call('POST', '/api/v1/invitation/accept', {}, { ticket, password: 'a long enough one' }),
        ),
      ).to.equal('bad-input');
      const accepted = await open(role, role, made.code);
      expect(accepted.status, JSON.stringify(accepted.body)).to.equal(200);
      recovery = accepted.body['recovery'] as readonly string[];
      cookies.set(role, accepted.cookie);
      expect((await call('GET', '/api/v1/session', { cookie: accepted.cookie })).body).to.deep.equal({
        name: role,
        role,
      });
      expect(
        codeOf(await call('POST', '/api/v1/invitation', {}, { code: made.code })),
        'the link again',
      ).to.equal('not-authenticated');
    });

  it('logs in with both factors, and a code serves once', async () => {
    const secret = secrets.get('view');
    if (!secret) throw new Error('there is a secret');
    const begun = await first('view', passwords.view);
    expect(begun.body).to.include({ totp: true });
    const totp = secret.code(1);
    const entered = await second(begun.body['ticket'], { totp });
    expect(entered.body).to.deep.equal({ name: 'view', role: 'view' });
    cookies.set('view', entered.cookie);
    const again = await first('view', passwords.view);
    expect(codeOf(await second(again.body['ticket'], { totp })), 'the same code').to.equal(
      'wrong-second-factor',
    );
    expect(codeOf(await second(begun.body['ticket'], { totp })), 'the same ticket').to.equal(
      'not-authenticated',
    );
  });

  it('lets in by a recovery code, once', async () => {
    const [code] = recovery;
    const begun = await first('administer', passwords.administer);
    const entered = await second(begun.body['ticket'], { recovery: code?.replace(/(.{4})/g, '$1-') });
    expect(entered.status).to.equal(200);
    const again = await first('administer', passwords.administer);
    expect(codeOf(await second(again.body['ticket'], { recovery: code }))).to.equal('wrong-second-factor');
  });

  it('says the same for a wrong name and a wrong password, and locks a name after some of them', async () => {
    const answers = [await first('nobody', 'wrong wrong wrong'), await first('operate', 'wrong wrong wrong')];
    expect(answers[0]?.body).to.deep.equal(answers[1]?.body);
    for (let i = 0; i < 4; i++) await first('nobody', 'wrong wrong wrong');
    expect(codeOf(await first('nobody', 'wrong wrong wrong'))).to.equal('account-locked');
    expect(codeOf(await first('operate', 'wrong wrong wrong')), 'nobody else').to.equal('not-authenticated');
  });

  it('reaches with each role exactly what it is for, on every route there is, and every answer is as the document says', async () => {
    const document = await call('GET', '/api/v1/openapi.json', { cookie: cookies.get('view') ?? '' });
    const documented = new Documented(document.body);
    let tried = 0;
    for (const [path, methods] of Object.entries(documented.paths))
      for (const small of Object.keys(methods)) {
        const method = small.toUpperCase();
        const line = `${method} ${path}`;
        const needed = needs[line];
        if (needed === undefined) throw new Error(`${line} is not in the table of this test`);
        if (line === 'DELETE /api/v1/session') continue;
        for (const role of [undefined, ...roles]) {
          const by: Record<string, string> = role === undefined ? {} : { cookie: cookies.get(role) ?? '' };
          // A body that no form knows: what gets past the role is refused there, and nothing happens.
          const body = method === 'GET' ? undefined : { 'no-such-member': 1 };
          const real = path.replaceAll(/\{[a-zA-Z]+\}/g, 'no-such-thing');
          const answer = await call(method, real, by, body);
          const may =
            needed === 'anyone' || (role !== undefined && roles.indexOf(role) >= roles.indexOf(needed));
          const refused = role === undefined ? 'not-authenticated' : 'not-permitted';
          if (may) expect(codeOf(answer), `${line} as ${role}`).not.to.be.equal('not-permitted');
          else expect(codeOf(answer), `${line} as ${role}`).to.equal(refused);
          expect(documented.faultsOf(method, path, answer), `${line}: ${answer.status}`).to.deep.equal([]);
          tried += 1;
        }
      }
    expect(tried).to.be.greaterThan(100);
  });

  it('gives programs tokens with a role, areas and an end', async () => {
    const token = landlord
      .must('tokens', 'make', 'watcher', '--role', 'view', '--area', 'nodes', '--days', '1')
      .trim();
    const by = { authorization: `Bearer ${token}` };
    expect((await call('GET', '/api/v1/nodes', by)).status).to.equal(200);
    expect(codeOf(await call('GET', '/api/v1/leases', by)), 'another area').to.equal('not-permitted');
    expect(codeOf(await call('POST', '/api/v1/nodes', by, {})), 'beyond the role').to.equal('not-permitted');
    expect(codeOf(await call('POST', '/api/v1/login-links', by)), 'no way out of the scope').to.equal(
      'not-permitted',
    );
    expect(
      landlord.cli('tokens', 'make', 'wide', '--role', 'administer', '--area', 'tokens').status,
    ).to.equal(2);
    landlord.must('tokens', 'revoke', 'watcher');
    expect(codeOf(await call('GET', '/api/v1/nodes', by)), 'after it was revoked').to.equal(
      'not-authenticated',
    );
  });

  it('lets no program prolong itself: a token makes no token, no account and nothing that outlives it', async () => {
    const token = landlord.must('tokens', 'make', 'robot', '--role', 'administer', '--days', '1').trim();
    const by = { authorization: `Bearer ${token}` };
    const asked = { name: 'heir', role: 'administer', days: 3660 };
    expect(codeOf(await call('POST', '/api/v1/tokens', by, asked))).to.equal('not-permitted');
    const invited = { name: 'puppet', role: 'administer' };
    expect(codeOf(await call('POST', '/api/v1/accounts', by, invited))).to.equal('not-permitted');
    expect(codeOf(await call('POST', '/api/v1/accounts/view/reset', by))).to.equal('not-permitted');
    const link = await call('POST', '/api/v1/login-links', by);
    const begun = await call('POST', '/api/v1/session', {}, { code: link.body['code'] });
    expect(codeOf(await call('POST', '/api/v1/tokens', { cookie: begun.cookie }, asked))).to.equal(
      'not-permitted',
    );
    landlord.must('tokens', 'revoke', 'robot');
    expect(codeOf(await call('GET', '/api/v1/nodes', { cookie: begun.cookie }))).to.equal(
      'not-authenticated',
    );
  });

  it('gives no person a name that the audit uses for others', () => {
    for (const name of ['token-file', 'nobody'])
      expect(landlord.cli('accounts', 'invite', name, '--role', 'view').status, name).to.equal(2);
  });

  it('judges many guesses of a second factor at once as if they came one after the other', async () => {
    const begun = await Promise.all(
      Array.from({ length: 3 }, async () => first('administer', passwords.administer)),
    );
    const tickets = begun.map(({ body }) => body['ticket']).filter((ticket) => ticket !== undefined);
    const guesses = tickets.flatMap((ticket) =>
      Array.from({ length: 9 }, (_, i) => second(ticket, { totp: String(100_000 + i) })),
    );
    const codes = (await Promise.all(guesses)).map(codeOf);
    expect(codes.filter((code) => code === 'wrong-second-factor').length).to.be.at.most(5);
    expect(codes).to.include('account-locked');
  });

  it('opens the doors of engines to tokens that may operate, and to nobody else', async () => {
    const knock = async (headers: Record<string, string>): Promise<number> => {
      const sent = request(`${url}/api/v1/doors`, {
        headers: { connection: 'upgrade', upgrade: 'bmonitor-records', ...headers },
      });
      sent.end();
      return new Promise((resolve, reject) => {
        sent.once('error', reject);
        sent.once('response', (answer) => {
          answer.resume();
          resolve(answer.statusCode ?? 0);
        });
        sent.once('upgrade', (_answer, socket) => {
          socket.destroy();
          resolve(101);
        });
      });
    };
    expect(await knock({}), 'a stranger').to.equal(403);
    expect(await knock({ cookie: cookies.get('administer') ?? '' }), 'a session').to.equal(403);
    for (const [role, answer] of [
      ['view', 403],
      ['operate', 101],
      ['administer', 101],
    ] as const) {
      const token = landlord.must('tokens', 'make', `door-${role}`, '--role', role).trim();
      expect(await knock({ authorization: `Bearer ${token}` }), role).to.equal(answer);
    }
  });

  it('ends the sessions of an account that is changed, reset or closed', async () => {
    const by = { cookie: cookies.get('operate') ?? '' };
    landlord.must('accounts', 'role', 'operate', 'view');
    expect(codeOf(await call('GET', '/api/v1/session', by))).to.equal('not-authenticated');
    const { code } = JSON.parse(landlord.must('accounts', 'reset', 'view', '--json')) as { code: string };
    expect(codeOf(await call('GET', '/api/v1/session', { cookie: cookies.get('view') ?? '' }))).to.equal(
      'not-authenticated',
    );
    expect(codeOf(await first('view', passwords.view)), 'the old password').to.equal('not-authenticated');
    expect((await open('view', 'view', code)).status).to.equal(200);
    expect(landlord.cli('accounts', 'close', 'view').status, 'without its name').to.equal(1);
    landlord.must('accounts', 'close', 'view', '--confirm', 'view');
    expect(codeOf(await first('view', passwords.view))).to.equal('not-authenticated');
  });

  it('keeps accounts and tokens over a restart', async () => {
    const token = landlord.must('tokens', 'make', 'kept', '--role', 'view').trim();
    await landlord.stop();
    await landlord.run();
    url = (JSON.parse(readFileSync(join(landlord.dir, 'running.json'), 'utf8')) as { url: string }).url;
    expect((await call('GET', '/api/v1/nodes', { authorization: `Bearer ${token}` })).status).to.equal(200);
    expect((await first('administer', passwords.administer)).body).to.include({ totp: true });
  });

  it('writes down who did what, and hands all of it out', () => {
    const file = landlord.file('audit.jsonl', '');
    landlord.must('audit', 'export', '--out', file);
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    const routes = lines.map((line) => (JSON.parse(line) as { route: string; who: string }).route);
    for (const route of [
      'POST /api/v1/accounts',
      'POST /api/v1/login/second',
      'DELETE /api/v1/tokens/{name}',
    ])
      expect(routes).to.include(route);
    const told = lines.map(
      (line) => JSON.parse(line) as { route: string; about: string; code: string | null },
    );
    const about = (route: string, code: string | null): string[] =>
      told.filter((line) => line.route === route && line.code === code).map((line) => line.about);
    expect(about('DELETE /api/v1/accounts/{name}', null)).to.include('view');
    expect(about('POST /api/v1/login', 'not-authenticated').join(' ')).to.include('nobody');
    expect(about('POST /api/v1/login/second', null)).to.include('view');
    expect(about('POST /api/v1/tokens', null)).to.include('watcher view');
    // Reading what one may not read is a try as well.
    expect(about('GET /api/v1/audit', 'not-permitted').length).to.be.greaterThan(0);
  });

  it('lets no stranger fill the disk with refused calls', async () => {
    await landlord.stop();
    await landlord.run();
    url = (JSON.parse(readFileSync(join(landlord.dir, 'running.json'), 'utf8')) as { url: string }).url;
    const count = async (): Promise<number> => {
      const page = landlord.must('audit', 'list', '--limit', '1000', '--json');
      return (JSON.parse(page) as { lines: readonly { who: string }[] }).lines.filter(
        ({ who }) => who === 'nobody',
      ).length;
    };
    const before = await count();
    for (let i = 0; i < 100; i++)
      await call('POST', '/api/v1/login/second', {}, { ticket: 'x'.repeat(43), totp: '123456' });
    const written = (await count()) - before;
    expect(written).to.be.within(1, 60);
  });

  it('leaves no password, code, secret or token readable in its files', () => {
    const folders = [landlord.dir, join(landlord.dir, 'store')];
    const all = Buffer.concat(
      folders.flatMap((dir) =>
        readdirSync(dir, { withFileTypes: true })
          .filter((entry) => entry.isFile() && existsSync(join(dir, entry.name)))
          .map((entry) => readFileSync(join(dir, entry.name))),
      ),
    );
    for (const password of Object.values(passwords)) expect(all.includes(password)).to.equal(false);
    for (const code of recovery) expect(all.includes(code)).to.equal(false);
    for (const { secret } of secrets.values())
      for (const spelled of secret.use((bytes) => [
        Buffer.from(bytes),
        Buffer.from(Buffer.from(bytes).toString('base64url')),
      ]))
        expect(all.includes(spelled)).to.equal(false);
  });
});
