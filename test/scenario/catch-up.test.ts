import { cpSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { openPair } from '../../console/keys/file.js';
import { NodeSession } from '../../console/nodes/session.js';
import { thumbprint } from '../../crypto/rsa.js';
import { Secret } from '../../crypto/secret.js';
import type { Command } from '../../protocol/commands.js';
import { levelKeyOf, nodeCardForm } from '../../protocol/node-card.js';
import type { Reply } from '../../protocol/reply.js';
import { dial, socketChannel } from '../../protocol/socket.js';
import { Leased, isGood } from '../fakes/leased.js';
import { value } from '../fakes/results.js';
import { until } from '../fakes/until.js';

interface Past {
  readonly away: readonly { readonly from: number; readonly until: number }[];
  readonly nodes: readonly {
    readonly node: string;
    readonly head: number | null;
    readonly missing: readonly { readonly from: number; readonly to: number; readonly by: string | null }[];
    readonly fork: { readonly before: string | null } | null;
    readonly trouble: { readonly code: string } | null;
  }[];
  readonly entries: readonly {
    readonly node: string;
    readonly seq: number;
    readonly command: string;
    readonly signed: string;
  }[];
}

describe('a customer’s console that is on only now and then', function () {
  this.timeout(180_000);
  const leased = new Leased('node-1', 'node-2');
  const { landlord, app, nodes } = leased;

  before(async () => leased.begin({ init: ['--file-bytes', '268435456'] }));
  after(async () => leased.remove());

  const past = (...more: string[]): { status: number | null; past: Past } => {
    const { status, out, err } = app.cli('history', '--json', ...more);
    if (out === '') throw new Error(err);
    return { status, past: JSON.parse(out) as Past };
  };
  const stateOf = (found: Past, name: string): Past['nodes'][number] => {
    const state = found.nodes.find(({ node }) => node === name);
    if (!state) throw new Error(`no ${name} in ${JSON.stringify(found.nodes)}`);
    return state;
  };
  const extend = (node: string, until_time: string): void => {
    const { leases } = JSON.parse(landlord.must('leases', 'list', '--json')) as {
      readonly leases: readonly { readonly node: string; readonly lease: string }[];
    };
    const lease = leases.find((one) => one.node === node)?.lease ?? '';
    landlord.must('leases', 'extend', lease, '--until', until_time);
  };
  /** A conversation with node-1 under this console's key, from elsewhere, while its daemon is off. */
  async function asThisConsole<T>(
    talk: (ask: (command: Command) => Promise<Reply>) => Promise<T>,
  ): Promise<T> {
    const passphrase = Secret.take(Buffer.from('four random words'));
    const pair = value(await openPair(readFileSync(join(app.dir, 'key.json'), 'utf8'), passphrase));
    const card = value(nodeCardForm(cards[0], 'card'));
    const { url = '', pin } = card.ways[0] ?? {};
    const socket = value(await dial({ url, ...(pin ? { pin } : {}), timeout_ms: 5000 }));
    const clocks = { wall: () => Date.now(), steady: () => performance.now() };
    const session = new NodeSession(socketChannel(socket, 'test'), pair, thumbprint(card.identity), clocks);
    const to = { level: card.level, lease: card.lease, key: value(levelKeyOf(card)) };
    const said = await talk(async (command) => value(await session.request({ command, to })));
    session.close('done');
    return said;
  }
  const cards: unknown[] = [];
  const cardsNow = (): unknown[] =>
    ['node-1', 'node-2'].map((name) => JSON.parse(app.must('nodes', 'card', name)) as unknown);

  it('knows everything from the first entry of its leases on, verified', () => {
    const { status, past: found } = past();
    expect(status).to.equal(0);
    for (const name of ['node-1', 'node-2']) {
      const commands = found.entries.filter(({ node }) => node === name).map(({ command: one }) => one);
      expect(commands.slice(0, 2)).to.deep.equal(['lease.grant', 'lease.take']);
      expect(stateOf(found, name)).to.deep.include({ missing: [], fork: null, trouble: null });
    }
    const take = found.entries.find((entry) => entry.command === 'lease.take');
    expect(take?.signed).to.equal('good');
    cards.push(...cardsNow());
  });

  it('that was off fetches what happened meanwhile, says since when it was off, and what it cannot know yet', async () => {
    await app.stop();
    extend('node-1', '40d');
    await nodes[1]?.stop();
    await app.run();
    await until(() => isGood(app, 'node-1'));
    const { status, past: found } = past('--since', '1h');
    expect(status).to.equal(1);
    expect(found.away).to.have.length(1);
    expect(found.entries.filter(({ command: one }) => one === 'lease.extend')).to.have.length(1);
    expect(stateOf(found, 'node-2').trouble?.code).to.equal('unreachable');
    const text = app.cli('history').out;
    expect(text).to.match(/^this console was off from .+ to .+$/m);
    expect(text).to.match(/^node-2: unknown since .+ \(entry \d+\): unreachable/m);
    await nodes[1]?.run();
    await until(() => past().status === 0);
  });

  it('follows by itself what happens while it is on', async () => {
    const before = stateOf(past('--kept').past, 'node-2').head ?? 0;
    // The landlord dials a node that was away in its own rhythm.
    await until(() => isGood(landlord, 'node-2'));
    extend('node-2', '50d');
    await until(() => (stateOf(past('--kept').past, 'node-2').head ?? 0) > before, 60_000);
  });

  it('says what can no longer be known, and whose command trimmed it', async () => {
    await app.stop();
    const set = { otherwise: 'inherit', filters: [] };
    const trimmed = await asThisConsole(async (ask) => {
      await ask({ type: 'filters.replace', expect: 1, set });
      const { head } = await ask({ type: 'filters.replace', expect: 2, set });
      await ask({ type: 'history.trim', before: head.seq + 1, head: head.digest });
      return head.seq;
    });
    await app.run();
    await until(() => isGood(app, 'node-1'));
    const { status, past: found } = past();
    expect(status).to.equal(1);
    const [gap] = stateOf(found, 'node-1').missing;
    expect(gap?.to).to.equal(trimmed);
    const key = app.must('key', 'show').split(' ')[0] ?? '';
    expect(gap?.by).to.equal(key);
    expect(app.cli('history').out).to.include(`can no longer be known: trimmed by the console ${key}`);
  });

  it('is not deceived by a node that was put back to an older state: what it signed before and now is kept as evidence', async () => {
    const dir = dirname(nodes[1]?.cardFile ?? '');
    await nodes[1]?.stop();
    const old = `${dir}.old`;
    // All of its state; the files of the lease are not part of it.
    const parts = readdirSync(dir, { withFileTypes: true })
      .filter((entry) => entry.name !== 'data' && !entry.isSocket())
      .map(({ name }) => name);
    for (const part of parts) cpSync(join(dir, part), join(old, part), { recursive: true });
    await nodes[1]?.run();
    await until(() => isGood(landlord, 'node-2') && isGood(app, 'node-2'));
    extend('node-2', '60d');
    const known = stateOf(past().past, 'node-2').head ?? 0;
    await nodes[1]?.stop();
    for (const part of parts) {
      rmSync(join(dir, part), { recursive: true });
      cpSync(join(old, part), join(dir, part), { recursive: true });
    }
    rmSync(old, { recursive: true });
    await nodes[1]?.run();
    let found = past('node-2');
    await until(() => {
      found = past('node-2');
      return stateOf(found.past, 'node-2').fork !== null;
    });
    expect(found.status).to.equal(1);
    const { fork, head } = stateOf(found.past, 'node-2');
    expect(head).to.equal(known);
    expect(fork?.before).to.match(/^[\w-]+\.[\w-]+\.[\w-]+$/);
    expect(app.cli('history', 'node-2').out).to.include('NOT THE HISTORY THAT WAS SEEN BEFORE');
  });
});
