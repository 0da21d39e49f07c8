import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import type { HandOver } from '../../protocol/hand-over.js';
import { makePair } from '../../crypto/rsa.js';
import { freePort, RealConsole } from '../fakes/console.js';
import { RealNode } from '../fakes/real-node.js';
import { until } from '../fakes/until.js';

interface Listed {
  readonly nodes: readonly {
    readonly state: string;
    readonly trouble: { readonly code: string; readonly detail: string } | null;
  }[];
}

describe('a customer whose landlord is away, refuses, or lies', function () {
  this.timeout(120_000);
  const landlord = new RealConsole('console-cluster');
  const alder = new RealConsole('console-app');
  const other = new RealConsole('console-app');
  let node: RealNode;
  let file = '';

  before(async () => {
    landlord.init('--gateway', '127.0.0.1', '--gateway-port', String(await freePort()));
    alder.init();
    other.init();
    await landlord.run();
    await alder.run();
    const gateway = landlord.must('gateway', 'address').trim();
    node = await RealNode.make('node-1', cardOf(landlord), '--gateway', gateway);
    await node.run();
    // Nobody reaches the node but through the gateway.
    landlord.must('nodes', 'add', landlord.file('far.json', JSON.stringify({ ...node.card, ways: [] })));
    await until(() => seen(landlord)?.state === 'good');
    file = landlord.file('alder.json', '');
  });
  after(async () => {
    for (const it of [landlord, alder, other, node]) await it.remove();
  });

  const cardOf = (console: RealConsole): string => join(console.dir, 'console.pub.json');
  const seen = (console: RealConsole): Listed['nodes'][number] | undefined =>
    (JSON.parse(console.must('nodes', 'list', '--json')) as Listed).nodes[0];
  const took = (...args: string[]): string => {
    const { out, err } = alder.cli('lease', 'take', ...args);
    return `${out}${err}`;
  };

  it('takes nothing from a hand-over that says what the node does not know, and is told what the node says to it', async () => {
    landlord.must('leases', 'grant', 'node-1', '--to', cardOf(alder), '--out', file);
    const honest = JSON.parse(readFileSync(file, 'utf8')) as HandOver;
    const evil = await makePair(2048);
    const lies = (change: object): string => {
      const leases = honest.leases.map((lease) => ({ ...lease, card: { ...lease.card, ...change } }));
      return landlord.file('lie.json', JSON.stringify({ ...honest, leases }));
    };
    const words: readonly (readonly [string, object, RegExp])[] = [
      ['a key that is the landlord’s own', { key: evil.public.jwk }, /not taken: (wrong-node|cannot-open)/],
      ['another level', { level: 0 }, /not taken: (wrong-node|wrong-level|unknown-console)/],
      ['another lease', { lease: 'A'.repeat(22) }, /not taken: wrong-lease/],
      ['another machine', { identity: evil.public.jwk }, /not taken: (gateway-not-yours|wrong-node)/],
    ];
    for (const [what, change, refused] of words) expect(took(lies(change)), what).to.match(refused);
    expect(seen(alder)?.state).to.equal(undefined);
    expect(took(file)).to.include('node-1: taken');
    await until(() => seen(alder)?.state === 'good');
  });

  it('sees its nodes fall silent and then unknown when the gateway is gone, never well, and says why; and good again by itself', async () => {
    await landlord.stop('SIGKILL');
    const states: string[] = [];
    await until(() => {
      const state = seen(alder)?.state ?? '';
      if (states.at(-1) !== state) states.push(state);
      return state === 'unknown';
    });
    expect(states.filter((state) => !['good', 'silent', 'unknown'].includes(state))).to.deep.equal([]);
    expect(states.slice(-2)).to.deep.equal(['silent', 'unknown']);
    expect(seen(alder)?.trouble?.code).to.equal('unreachable');
    for (const words of [
      ['nodes', 'status', 'node-1'],
      ['filters', 'show', 'node-1'],
    ]) {
      const { status, err } = alder.cli(...words);
      expect([status, err.split(':')[0]]).to.deep.equal([1, 'unreachable']);
    }
    const listed = alder.cli('engines', 'list');
    expect([listed.status, listed.out]).to.satisfy(
      ([code, out]: [number, string]) => code === 1 && /node-1 +unknown/.test(out),
    );
    expect(alder.cli('history').out).to.match(/^node-1: unknown since .+: unreachable/m);
    await landlord.run();
    await until(() => seen(alder)?.state === 'good', 60_000);
    expect(alder.cli('history').status).to.equal(0);
  });

  it('is told when the landlord’s console will have nothing more to do with it; the lease is the node’s word, and stands', async () => {
    landlord.must('customers', 'set', 'test', cardOf(other));
    await landlord.stop();
    await landlord.run();
    await until(() => seen(alder)?.state === 'refused', 60_000);
    expect(seen(alder)?.trouble?.code).to.equal('gateway-stranger');
    const { status, err } = alder.cli('nodes', 'status', 'node-1');
    expect(status).to.equal(1);
    expect(err)
      .to.match(/^unreachable: /)
      .and.include('gateway-stranger: The gateway does not know this key.');
    expect(alder.must('lease', 'list')).to.match(/node-1 .* taken/);
    landlord.must('customers', 'set', 'test', cardOf(alder));
    await until(() => seen(alder)?.state === 'good', 60_000);
  });

  it('is told by the node, signed, that the lease is over, and is not moved by its old hand-over', async () => {
    const shown = landlord.cli('leases', 'end', 'node-1').out;
    landlord.must('leases', 'end', 'node-1', '--destroy', /--destroy (\S+)/.exec(shown)?.[1] ?? '');
    await until(() => seen(alder)?.state === 'refused', 60_000);
    await until(() => alder.must('lease', 'list').includes(' ended '));
    for (const remove of [false, true]) {
      if (remove) alder.must('nodes', 'remove', 'node-1');
      const { status, out } = alder.cli('lease', 'take', file);
      expect([status, out]).to.satisfy(
        ([code, told]: [number, string]) => code === 1 && told.startsWith('node-1: not taken: lease-over '),
      );
    }
    expect(alder.must('lease', 'receipts-of', 'node-1').trim().split('\n').length).to.be.greaterThan(0);
  });
});
