import { expect } from 'chai';
import { Sessions } from '../../../console/access/sessions.js';
import { mayReach, tokenDigest, type Caller } from '../../../console/api/access.js';
import { sessionOf } from '../../../console/api/server.js';
import { sourceOf } from '../../../console/api/source.js';
import { limits } from '../../../protocol/limits.js';
import { refusalIn, value } from '../../fakes/results.js';

const day_ms = 86_400_000;
const person: Caller = { name: 'mara', role: 'operate', by: 'session', id: '' };
const token = 't'.repeat(43);

/** One program's token, which can be revoked, beside whatever sessions there are. */
function sessions(): { readonly it: Sessions; readonly revoke: () => void } {
  let revoked = false;
  const it = new Sessions({
    find: (digest) =>
      Promise.resolve(
        !revoked && digest === tokenDigest(token)
          ? { name: 'token watcher', role: 'view', until: 1000, areas: ['nodes'] }
          : undefined,
      ),
  });
  return {
    it,
    revoke: () => {
      revoked = true;
      it.endAllOf('token watcher');
    },
  };
}
const bySession = (cookie: string) => ({ token: undefined, session: cookie });

describe('sessions', () => {
  it('cannot be prolonged by links that a session makes for itself', async () => {
    const { it } = sessions();
    let now = 0;
    let cookie = it.begin(person, now);
    // Each link is used at once and each session is never idle: a chain that would never end.
    for (; now < 3 * day_ms; now += 3_600_000) {
      const caller = await it.authenticate(bySession(cookie), now);
      if (!caller.ok) break;
      cookie = it.begin(value(it.useLink(it.makeLink(caller.value, now), now)), now);
    }
    expect(now).to.equal(limits.session_life_ms_max);
  });

  it('that a token makes end with the token, by its time and by its revocation, and keep its areas', async () => {
    for (const end of ['time', 'revocation']) {
      const { it, revoke } = sessions();
      const caller = value(await it.authenticate({ token, session: undefined }, 0));
      const cookie = it.begin(value(it.useLink(it.makeLink(caller, 0), 0)), 0);
      expect(value(await it.authenticate(bySession(cookie), 999)).areas).to.deep.equal(['nodes']);
      if (end === 'revocation') revoke();
      const then = end === 'revocation' ? 1 : 1000;
      expect(refusalIn(await it.authenticate(bySession(cookie), then)).code, end).to.equal(
        'not-authenticated',
      );
    }
  });

  it('do not begin by a link that a person made before the account was closed', () => {
    const { it } = sessions();
    const code = it.makeLink(person, 0);
    it.endAllOf('mara');
    expect(refusalIn(it.useLink(code, 1)).code).to.equal('not-authenticated');
  });

  it('of one person crowd out none of another', async () => {
    const { it } = sessions();
    const other = it.begin({ ...person, name: 'jon' }, 0);
    const first = it.begin(person, 0);
    for (let i = 0; i < limits.sessions_max; i++) it.begin(person, 0);
    expect((await it.authenticate(bySession(other), 1)).ok).to.equal(true);
    expect((await it.authenticate(bySession(first), 1)).ok).to.equal(false);
  });

  it('say whether they still hold without being used by the question', async () => {
    const { it } = sessions();
    const cookie = it.begin(person, 0);
    const caller = value(await it.authenticate(bySession(cookie), 0));
    for (let now = 0; now < limits.session_idle_ms_max; now += 60_000)
      expect(await it.holds(caller, now)).to.equal(true);
    expect(await it.holds(caller, limits.session_idle_ms_max)).to.equal(false);
  });

  it('are carried by a cookie whose name no other site, port or path can set over TLS', () => {
    const id = 'a'.repeat(43);
    expect(sessionOf(`x=1; __Host-session=${id}`, true)).to.equal(id);
    expect(sessionOf(`session=${id}`, true)).to.equal(undefined);
    expect(sessionOf(`session=${id}`, false)).to.equal(id);
  });
});

describe('the areas of a token', () => {
  it('are parts of paths, of the API and of what stands beside it', () => {
    const scoped: Caller = { ...person, areas: ['nodes', 'metrics'] };
    for (const path of ['/api/v1/nodes', '/api/v1/nodes/{name}', '/metrics'])
      expect(mayReach(scoped, path), path).to.equal(true);
    for (const path of ['/api/v1/leases', '/api/v1/nodes-events', '/', '/api/v1', '/readyz'])
      expect(mayReach(scoped, path), path).to.equal(false);
    expect(mayReach(person, '/metrics')).to.equal(true);
  });
});

describe('the source of a call', () => {
  it('is an address, or the network of one in IPv6, however it is written', () => {
    expect(sourceOf('::ffff:192.0.2.7')).to.equal('192.0.2.7');
    expect(sourceOf('192.0.2.7')).to.equal('192.0.2.7');
    expect(sourceOf('2001:db8::1')).to.equal('2001:db8:0:0::/64');
    expect(sourceOf('2001:db8:0:0:ffff::2')).to.equal('2001:db8:0:0::/64');
    expect(sourceOf('::1')).to.equal('0:0:0:0::/64');
    expect(sourceOf(undefined)).to.equal('unknown');
  });
});
