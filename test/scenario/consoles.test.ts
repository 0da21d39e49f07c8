import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { thumbprint } from '../../crypto/rsa.js';
import { parseConsoleCard } from '../../protocol/console-card.js';
import { parseHandOver } from '../../protocol/hand-over.js';
import { RealConsole } from '../fakes/console.js';
import { RealNode } from '../fakes/real-node.js';
import { value } from '../fakes/results.js';
import { until } from '../fakes/until.js';

interface Nodes {
  readonly nodes: readonly { readonly name: string; readonly state: string; readonly level: number }[];
}
interface Leases {
  readonly leases: readonly { readonly node: string; readonly state: string; readonly lease: string }[];
}

function json(text: string): unknown {
  return JSON.parse(text);
}

const stateOf = (console: RealConsole, name: string): string =>
  (json(console.must('nodes', 'list', '--json')) as Nodes).nodes.find((node) => node.name === name)?.state ??
  'none';

const troubleOf = (console: RealConsole, name: string): string | undefined => {
  const { nodes } = json(console.must('nodes', 'list', '--json')) as {
    nodes: { name: string; trouble: { code: string } | null }[];
  };
  return nodes.find((node) => node.name === name)?.trouble?.code;
};

describe('a landlord, two customers and two nodes, as real processes', () => {
  const landlord = new RealConsole('console-cluster');
  const acme = new RealConsole('console-app');
  const blue = new RealConsole('console-app');
  const nodes: RealNode[] = [];
  const consoles = [landlord, acme, blue];
  const cardOf = (console: RealConsole): string => join(console.dir, 'console.pub.json');

  before(async () => {
    for (const console of consoles) {
      console.init();
      await console.run();
    }
    for (const name of ['node-1', 'node-2']) {
      const node = await RealNode.make(name, cardOf(landlord));
      nodes.push(node);
      await node.run();
    }
  });
  after(async () => {
    for (const console of consoles) await console.remove();
    for (const node of nodes) await node.remove();
  });

  it('takes nodes in by their cards and shows them good', async () => {
    for (const node of nodes) landlord.must('nodes', 'add', node.cardFile);
    for (const name of ['node-1', 'node-2']) await until(() => stateOf(landlord, name) === 'good');
    const twice = landlord.cli('nodes', 'add', nodes[0]?.cardFile ?? '');
    expect(twice.status).to.equal(1);
    expect(twice.err).to.match(/^already-there: /);
  });

  it('asks a node for its status, sealed to it and back', () => {
    const status = json(landlord.must('nodes', 'status', 'node-1', '--json')) as Record<string, unknown>;
    expect(status['name']).to.equal('node-1');
    expect(status['level']).to.equal(0);
  });

  it('leases a node to each customer, and hands it over', async () => {
    landlord.must('customers', 'set', 'acme', cardOf(acme));
    landlord.must('customers', 'set', 'blue', cardOf(blue));
    landlord.must('leases', 'grant', 'node-1', '--customer', 'acme', '--until', '90d');
    landlord.must('leases', 'grant', 'node-2', '--customer', 'blue', '--until', '90d');
    const again = landlord.cli('leases', 'grant', 'node-1', '--customer', 'blue', '--until', '90d');
    expect(again.err).to.match(/^already-leased: /);
  });

  it('refuses a hand-over that is for another customer, and one that differs from the label', () => {
    const file = landlord.file('acme.json', '');
    landlord.must('leases', 'hand-over', 'acme', '--out', file);
    expect(blue.cli('lease', 'take', file).err).to.match(/^not-for-us: /);
    const wrong = acme.cli('lease', 'take', file, '--pin', `node-1=${'A'.repeat(43)}`);
    expect(wrong.err).to.match(/^wrong-identity: /);
    expect((json(acme.must('nodes', 'list', '--json')) as Nodes).nodes).to.deep.equal([]);
  });

  it('lets each customer take its lease, with the identity pinned or said to be unverified', async () => {
    const pin = thumbprint(nodes[0]?.card.identity ?? { kty: 'RSA', n: '', e: '' });
    const acmeFile = landlord.file('acme.json', '');
    landlord.must('leases', 'hand-over', 'acme', '--out', acmeFile);
    const told = acme.must('lease', 'take', acmeFile, '--pin', `node-1=${pin}`);
    expect(told).to.include('node-1: taken').and.not.include('unverified').and.not.include('WARNING');
    expect(told).to.match(/proved: (your K alone|only the 2 keys together)/);
    const blueFile = landlord.file('blue.json', '');
    landlord.must('leases', 'hand-over', 'blue', '--out', blueFile);
    expect(blue.must('lease', 'take', blueFile)).to.include('identity unverified');
    await until(() => stateOf(acme, 'node-1') === 'good');
    await until(() => stateOf(blue, 'node-2') === 'good');
    const status = json(acme.must('nodes', 'status', 'node-1', '--json')) as Record<string, unknown>;
    expect(status).to.include({ level: 1, status: 'active' });
    expect(acme.must('keys', 'prove', 'node-1')).to.match(/^node-1: proved: /);
    const measured = json(acme.must('nodes', 'measurement', 'node-1', '--json')) as { needed: unknown[] };
    expect(measured.needed).to.have.length(2);
  });

  it('refuses an old hand-over after the lease was taken: what it says is worth nothing any more', () => {
    const file = join(landlord.dir, '..', 'acme.json');
    expect(acme.cli('lease', 'take', file).out).to.include('not taken: already-there');
    const forged = value(parseHandOver(readFileSync(file)));
    const forBlue = json(readFileSync(cardOf(blue), 'utf8')) as {
      key: { kty: string; n: string; e: string };
    };
    const to = [thumbprint({ kty: 'RSA', n: forBlue.key.n, e: forBlue.key.e })];
    writeFileSync(file, JSON.stringify({ ...forged, to }));
    const refused = blue.cli('lease', 'take', file);
    expect(refused.status).to.equal(1);
    expect(refused.out).to.match(/node-1: not taken: (wrong-node|unknown-console)/);
  });

  it('lets a developer’s console speak on test nodes only, as its level labelled them', async () => {
    const dev = new RealConsole('console-app');
    consoles.push(dev);
    const { id } = dev.init();
    const add = ['roster', 'add', cardOf(dev), 'node-1', '--role', 'developer', '--only', 'test'];
    expect(acme.must(...add)).to.include(`${id} speaks as developer, where labelled test`);
    const show = json(acme.must('roster', 'show', 'node-1', '--json')) as {
      consoles: object[];
      labels: string[];
    };
    expect(show.labels).to.deep.equal([]);
    expect(show.consoles).to.deep.include({ id, name: 'test', role: 'developer', nodes: ['test'] });
    // The developer is given the card of the node as the customer's console has it.
    const known = json(acme.must('nodes', 'card', 'node-1')) as object;
    await dev.run();
    dev.must('nodes', 'add', dev.file('node-1.json', JSON.stringify(known)));
    await until(() => troubleOf(dev, 'node-1') === 'out-of-scope');
    expect(acme.must('roster', 'label', 'node-1', '--label', 'test')).to.include('is labelled test');
    await until(() => dev.cli('nodes', 'status', 'node-1').status === 0);
    expect(acme.must('roster', 'label', 'node-1')).to.include('has no label');
    await until(() => troubleOf(dev, 'node-1') === 'out-of-scope');
    expect(acme.must('roster', 'remove', id, 'node-1')).to.include('speaks no more');
    const last = acme.cli(
      'roster',
      'remove',
      value(parseConsoleCard(readFileSync(cardOf(acme)))).key.id,
      'node-1',
    );
    expect(last.status).to.equal(1);
    expect(last.out).to.match(/^node-1: last-console/);
    expect(acme.must('roster', 'show', 'node-1')).to.include(`enrolled before, and not any more: ${id}`);
  });

  it('rotates the keys of a level, keeps working under the new pair, and destroys only what is named', async () => {
    // After a rotation the console speaks to the new pair over another connection.
    const keysOf = async (): Promise<{
      pair: { id: string };
      keys: { lease: string; symmetric?: string }[];
    }> => {
      await until(() => acme.cli('keys', 'show', 'node-1').status === 0);
      return json(acme.must('keys', 'show', 'node-1', '--json')) as never;
    };
    const first = await keysOf();
    acme.must('keys', 'rotate', 'node-1', '--data', 'keep');
    const second = await keysOf();
    expect(second.pair.id).not.to.equal(first.pair.id);
    expect(second.keys).to.deep.equal(first.keys);
    const shown = acme.cli('keys', 'rotate', 'node-1', '--key', '--data', 'destroy');
    const own = second.keys[1];
    expect(shown.status).to.equal(1);
    expect(shown.out)
      .to.include(second.pair.id)
      .and.include(own?.symmetric)
      .and.include(`--destroy ${own?.lease}`);
    expect((await keysOf()).pair.id).to.equal(second.pair.id);
    const wrong = ['--destroy', 'A'.repeat(22), '--json'];
    const other = acme.cli('keys', 'rotate', 'node-1', '--key', '--data', 'destroy', ...wrong);
    expect(other.status).to.equal(1);
    expect(other.err).to.include('destroys-not-named');
    acme.must('keys', 'rotate', 'node-1', '--key', '--data', 'destroy', '--destroy', own?.lease ?? '');
    expect((await keysOf()).keys[1]?.symmetric).not.to.equal(own?.symmetric);
    await until(() => stateOf(acme, 'node-1') === 'good');
  });

  it('locks a level under a share that its console keeps, and opens it again after a start of the node', async () => {
    acme.must('keys', 'share', 'node-1');
    await nodes[0]?.stop('SIGKILL');
    await nodes[0]?.run();
    await until(() => stateOf(acme, 'node-1') === 'good');
    expect(acme.must('keys', 'show', 'node-1'))
      .to.include('LOCKED')
      .and.include('kept by this console');
    expect(acme.cli('nodes', 'history', 'node-1').err).to.match(/^shares-outstanding: /);
    acme.must('keys', 'unlock', 'node-1');
    expect(acme.must('keys', 'show', 'node-1')).not.to.include('LOCKED');
    acme.must('keys', 'share', 'node-1', '--off');
    expect(acme.must('keys', 'show', 'node-1')).not.to.include('kept by');
  });

  it('keeps everything over a restart of the landlord’s console, killed without warning', async () => {
    await landlord.stop('SIGKILL');
    await landlord.run();
    await until(() => stateOf(landlord, 'node-1') === 'good');
    const { leases } = json(landlord.must('leases', 'list', '--json')) as Leases;
    // The console that was started anew has heard from its first node; the other may still be on its way.
    expect(leases.find(({ node }) => node === 'node-1')?.state).to.equal('taken');
    expect(['granted', 'taken']).to.include(leases.find(({ node }) => node === 'node-2')?.state);
  });

  it('ends a lease only when it is named, and then the customer is refused', async () => {
    const shown = landlord.cli('leases', 'end', 'node-1');
    expect(shown.status).to.equal(1);
    expect(shown.out).to.include('destroy').and.include('--destroy');
    expect(stateOf(acme, 'node-1')).to.equal('good');
    const [, lease] = /--destroy (\S+)/.exec(shown.out) ?? [];
    const other = landlord.cli('leases', 'end', 'node-1', '--destroy', 'A'.repeat(22));
    expect(other.err).to.match(/^not-named: /);
    landlord.must('leases', 'end', 'node-1', '--destroy', lease ?? '');
    const receipts = landlord.file('receipts.jws', landlord.must('leases', 'receipts', lease ?? ''));
    const bmonitor = fileURLToPath(new URL('../../bmonitor/cli/index.js', import.meta.url));
    const check = ['receipt', 'verify', receipts, '--node', nodes[0]?.cardFile ?? '', '--json'];
    const checked = spawnSync(process.execPath, [bmonitor, ...check], { encoding: 'utf8' });
    const acts = (JSON.parse(checked.stdout) as { receipts: { act: string }[] }).receipts.map(
      ({ act }) => act,
    );
    expect(acts).to.include('grant').and.include('end');
    await until(() => stateOf(acme, 'node-1') === 'refused');
    expect(stateOf(landlord, 'node-1')).to.equal('good');
    expect(stateOf(blue, 'node-2')).to.equal('good');
  });

  it('exports the history of its level, which holds offline against the node’s card, and not with a line altered', () => {
    const file = join(landlord.dir, 'node-1.history');
    landlord.must('nodes', 'history', 'node-1', '--out', file);
    const bmonitor = fileURLToPath(new URL('../../bmonitor/cli/index.js', import.meta.url));
    const verify = (path: string): number | null => {
      const args = [
        'history',
        'verify',
        path,
        '--node',
        nodes[0]?.cardFile ?? '',
        '--console',
        cardOf(landlord),
      ];
      return spawnSync(process.execPath, [bmonitor, ...args], { encoding: 'utf8' }).status;
    };
    expect(verify(file)).to.equal(0);
    const altered = readFileSync(file, 'utf8').replace('lease.end', 'lease.and');
    expect(verify(landlord.file('altered.history', altered))).to.equal(1);
  });

  it('grants again after the node was away: the command is sent until it is answered, and acts once', async () => {
    await nodes[0]?.stop('SIGKILL');
    await until(() => stateOf(landlord, 'node-1') !== 'good');
    const waiting = landlord.cli(
      'leases',
      'grant',
      'node-1',
      '--customer',
      'blue',
      '--until',
      '30d',
      '--json',
    );
    expect(waiting.status).to.equal(1);
    expect((json(waiting.out) as Leases).leases[0]?.state).to.equal('granting');
    await landlord.stop('SIGKILL');
    await landlord.run();
    await nodes[0]?.run();
    await until(() => {
      const { leases } = json(landlord.must('leases', 'list', '--json')) as Leases;
      return leases.filter(({ node, state }) => node === 'node-1' && state === 'granted').length === 1;
    });
  });

  it('tells every event of a node once, over its restarts and those of the connection', async () => {
    const seqs = (): number[] => {
      const { events, gap } = JSON.parse(landlord.must('nodes', 'events', 'node-1', '--json')) as {
        events: { seq: number }[];
        gap: unknown;
      };
      expect(gap).to.equal(null);
      return events.map(({ seq }) => seq);
    };
    const before = seqs().at(-1) ?? 0;
    const list = JSON.parse(landlord.must('leases', 'list', '--json')) as Leases;
    const lease =
      list.leases.find(({ node, state }) => node === 'node-1' && state === 'granted')?.lease ?? '';
    landlord.must('leases', 'extend', lease, '--until', '40d');
    await until(() => (seqs().at(-1) ?? 0) > before);
    const between = seqs();
    await nodes[0]?.stop('SIGKILL');
    await nodes[0]?.run();
    await until(() => stateOf(landlord, 'node-1') === 'good');
    landlord.must('leases', 'extend', lease, '--until', '50d');
    await until(() => seqs().length > between.length);
    const after = seqs();
    expect(after).to.deep.equal([...new Set(after)].sort((a, b) => a - b));
    expect(after.slice(0, between.length)).to.deep.equal(between);
  });

  it('shows a node that is gone as unknown in the end, never as good', async () => {
    await nodes[1]?.stop('SIGKILL');
    await until(() => stateOf(blue, 'node-2') === 'unknown' || stateOf(blue, 'node-2') === 'connecting');
  });

  it('gives its figures to who has a token, and signs of life to anybody', async () => {
    const { url } = JSON.parse(readFileSync(join(landlord.dir, 'running.json'), 'utf8')) as { url: string };
    const token = readFileSync(join(landlord.dir, 'token'), 'utf8').trim();
    const headers = { authorization: `Bearer ${token}` };
    const figures = await (await fetch(`${url}/metrics`, { headers })).text();
    expect(figures).to.match(/console_leases\{state="granted"\} [0-9]+\n/);
    expect(figures).to.match(
      /console_api_calls_total\{method="GET",path="\/api\/v1\/nodes",code="ok"\} [0-9]+\n/,
    );
    expect((await fetch(`${url}/metrics`)).status).to.equal(401);
    expect(await (await fetch(`${url}/healthz`)).text()).to.equal('alive\n');
    expect(await (await fetch(`${url}/readyz`)).text()).to.equal('ready\n');
  });

  it('stops cleanly when it is told to', async () => {
    for (const console of consoles) expect(await console.stop('SIGTERM')).to.equal(0);
  });
});
