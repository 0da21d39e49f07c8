import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { expect } from 'chai';
import { Hub } from '../../console-cluster/gateway/hub.js';
import { listenGateway, type GatewayListening } from '../../console-cluster/gateway/listen.js';
import { Ways } from '../../console/nodes/gateways.js';
import { NodeSession } from '../../console/nodes/session.js';
import { makePair, thumbprint, type Pair } from '../../crypto/rsa.js';
import { formatGatewayFrame, parseGatewayFrame, type GatewayFrame } from '../../protocol/gateway/frames.js';
import { silentLog } from '../../protocol/log.js';
import { levelKeyOf } from '../../protocol/node-card.js';
import { ok } from '../../protocol/result.js';
import { freePort, RealConsole } from '../fakes/console.js';
import { EvilRelay, type Towards } from '../fakes/evil-relay.js';
import { RealNode } from '../fakes/real-node.js';
import { refusalIn, value } from '../fakes/results.js';
import { until } from '../fakes/until.js';

type Nodes = { readonly nodes: readonly { readonly name: string; readonly state: string }[] };

describe('nodes behind a gateway, as real processes', () => {
  const landlord = new RealConsole('console-cluster');
  const alder = new RealConsole('console-app');
  let node: RealNode;

  before(async () => {
    landlord.init('--gateway', '127.0.0.1', '--gateway-port', String(await freePort()));
    alder.init();
    await landlord.run();
    await alder.run();
    const gateway = landlord.must('gateway', 'address').trim();
    node = await RealNode.make('node-1', join(landlord.dir, 'console.pub.json'), '--gateway', gateway);
    await node.run();
  });
  after(async () => {
    await landlord.remove();
    await alder.remove();
    await node.remove();
  });

  const stateOf = (console: RealConsole): string =>
    (JSON.parse(console.must('nodes', 'list', '--json')) as Nodes).nodes[0]?.state ?? 'none';
  /** The same card without the direct way: nobody can reach the node but through the gateway. */
  const farCard = (): string => landlord.file('far.json', JSON.stringify({ ...node.card, ways: [] }));

  it('shows a node that dialled in and is not known as waiting to be adopted', async () => {
    const { waiting } = JSON.parse(landlord.must('gateway', 'show', '--json')) as {
      waiting: { id: string }[];
    };
    expect(waiting.map(({ id }) => id)).to.deep.equal([thumbprint(node.card.identity)]);
  });

  it('lets the landlord’s console reach, through its own gateway, a node that only dials out', async () => {
    landlord.must('nodes', 'add', farCard());
    await until(() => stateOf(landlord) === 'good');
    const status = JSON.parse(landlord.must('nodes', 'status', 'node-1', '--json')) as { name: string };
    expect(status.name).to.equal('node-1');
  });

  it('lets a customer take its lease and work through the gateway that the hand-over names', async () => {
    const file = landlord.file('alder.json', '');
    landlord.must('leases', 'grant', 'node-1', '--to', join(alder.dir, 'console.pub.json'), '--out', file);
    expect(alder.must('lease', 'take', file)).to.include('node-1: taken');
    await until(() => stateOf(alder) === 'good');
  });

  it('comes back by itself after the gateway was killed', async () => {
    await landlord.stop('SIGKILL');
    await until(() => stateOf(alder) !== 'good');
    await landlord.run();
    await until(() => stateOf(alder) === 'good', 60_000);
    await until(() => stateOf(landlord) === 'good', 60_000);
  });

  it('cuts the customer off when the lease ends', async () => {
    const shown = landlord.cli('leases', 'end', 'node-1').out;
    const [, lease] = /--destroy (\S+)/.exec(shown) ?? [];
    landlord.must('leases', 'end', 'node-1', '--destroy', lease ?? '');
    await until(() => stateOf(alder) === 'refused');
    expect(stateOf(landlord)).to.equal('good');
  });

  for (const [who, console] of [
    ['the landlord', landlord],
    ['the customer', alder],
  ] as const)
    it(`carries the signed notice of the end, which nobody asked for, to ${who}`, async () => {
      const heard = (): { notices: { kind: string }[]; noticesRefused: number } =>
        JSON.parse(console.must('nodes', 'events', 'node-1', '--json')) as ReturnType<typeof heard>;
      await until(() => heard().notices.some(({ kind }) => kind === 'lease.ended'), 20_000);
      expect(heard().noticesRefused).to.equal(0);
      expect(console.must('nodes', 'events', 'node-1')).to.match(/signed \(key in a file\) .* lease\.ended/);
    });
});

describe('a gateway that is itself the enemy, before a real node', () => {
  let pair: Pair;
  let node: RealNode;
  let hub: Hub;
  let listening: GatewayListening;
  let relay: EvilRelay;
  let ways: Ways;
  let url: string;
  const folder = new RealConsole('console-app');

  before(async () => {
    pair = await makePair(2048);
    hub = new Hub({
      policy: {
        node: async () => ok(true),
        console: async () => ok({ party: 'all' }),
        mayJoin: async () => ok(true),
      },
      newNonce: () => randomBytes(32).toString('base64url'),
      now: () => performance.now(),
      wall: () => Date.now(),
      log: silentLog,
    });
    listening = value(await listenGateway(hub, { host: '127.0.0.1', port: 0 }));
    url = `ws://127.0.0.1:${listening.port}`;
    relay = new EvilRelay(url);
    const card = { v: 1, kind: 'console-card', name: 'landlord', key: pair.public.jwk };
    const cardFile = folder.file('landlord.json', JSON.stringify(card));
    node = await RealNode.make('node-1', cardFile, '--gateway', await relay.listen());
    await node.run();
    await until(() => hub.view().nodes.length === 1);
    ways = new Ways(pair);
  });
  beforeEach(() => {
    relay.meddle = (_, bytes) => [bytes];
    relay.seen.length = 0;
  });
  after(async () => {
    await ways.close();
    await node.remove();
    await relay.close();
    await listening.close();
    await folder.remove();
  });

  const session = async (): Promise<NodeSession> => {
    const id = thumbprint(node.card.identity);
    const channel = value(await ways.connect({ via: 'gateway', url }, id));
    return new NodeSession(channel, pair, id, { wall: () => Date.now(), steady: () => performance.now() });
  };
  const status = async (talk: NodeSession) =>
    talk.request({
      command: { type: 'status' },
      to: { level: 0, lease: node.card.lease, key: value(levelKeyOf(node.card)) },
    });
  const dataOf = (bytes: Buffer): (GatewayFrame & { kind: 'data' }) | undefined => {
    const frame = parseGatewayFrame(bytes);
    return frame.ok && frame.value.kind === 'data' ? frame.value : undefined;
  };
  /** Alters data frames of sealed messages on their way, and nothing else. */
  const altering = (towards: Towards, letter: string, alter: (text: string) => string): void => {
    relay.meddle = (way, bytes) => {
      const data = dataOf(bytes);
      const text = data ? Buffer.from(data.bytes).toString('latin1') : '';
      if (!data || way !== towards || !text.startsWith(letter)) return [bytes];
      return [formatGatewayFrame({ ...data, bytes: Buffer.from(alter(text), 'latin1') })];
    };
  };
  const flip = (text: string, at: number): string => {
    const place = at < 0 ? text.length + at : at;
    return `${text.slice(0, place)}${text.charAt(place) === 'A' ? 'B' : 'A'}${text.slice(place + 1)}`;
  };

  it('cannot read what it carries: neither commands nor answers, nor their names', async () => {
    const talk = await session();
    const answered = value(await status(talk));
    expect(answered.result?.['name']).to.equal('node-1');
    const carried = Buffer.concat(relay.seen.map(({ bytes }) => dataOf(bytes)?.bytes ?? Buffer.of()));
    for (const word of [
      'status',
      'node-1',
      'keyStore',
      'lease',
      node.card.lease,
      'command',
      pair.public.jwk.n,
    ])
      expect(carried.includes(word), word).to.equal(false);
    for (const part of carried.toString('latin1').split(/[. ]/)) {
      const decoded = Buffer.from(part, 'base64url').toString('latin1');
      for (const word of ['"command"', '"status"', '"reply"', 'node-1'])
        expect(decoded.includes(word), `${word} in base64`).to.equal(false);
    }
    talk.close('done');
  });

  /** The node's unsealed word on what reached it, as the gateway sees it. */
  const hintSeen = async (): Promise<string> => {
    let hint = '';
    await until(() => {
      for (const { towards, bytes } of relay.seen) {
        const text = Buffer.from(dataOf(bytes)?.bytes ?? []).toString('latin1');
        if (towards === 'gateway' && text.startsWith('E1')) hint = text;
      }
      return hint !== '';
    });
    return hint;
  };

  it('cannot alter a command: wherever it touches it, the node refuses', async () => {
    for (const at of [-1, -40, -400, 200, 600]) {
      const talk = await session();
      await talk.hello();
      relay.seen.length = 0;
      altering('node', 'R1', (text) => flip(text, at));
      const asked = status(talk);
      expect(await hintSeen()).to.match(/"(cannot-open|malformed)"/);
      talk.close('done');
      expect((await asked).ok).to.equal(false);
      relay.meddle = (_, bytes) => [bytes];
    }
    expect(value(await status(await session())).result?.['name']).to.equal('node-1');
  });

  it('cannot cut a command short', async () => {
    const talk = await session();
    await talk.hello();
    altering('node', 'R1', (text) => text.slice(0, -8));
    const asked = status(talk);
    expect(await hintSeen()).to.include('"cut"');
    talk.close('done');
    expect((await asked).ok).to.equal(false);
  });

  it('cannot alter an answer: the console takes it for none', async () => {
    const talk = await session();
    altering('gateway', 'P1', (text) => flip(text, -30));
    expect(refusalIn(await status(talk)).code).to.equal('cannot-open');
    talk.close('done');
  });

  it('cannot give an answer of its own, nor the answer to another command', async () => {
    const talk = await session();
    value(await status(talk));
    const first = relay.seen.findLast(({ bytes }) =>
      Buffer.from(dataOf(bytes)?.bytes ?? [])
        .toString('latin1')
        .startsWith('P1'),
    );
    const old = Buffer.from(dataOf(first?.bytes ?? Buffer.of())?.bytes ?? []).toString('latin1');
    altering('gateway', 'P1', () => old);
    let settled = false;
    const asked = status(talk).then((answer) => {
      settled = true;
      return answer;
    });
    await until(() => relay.seen.filter(({ towards }) => towards === 'gateway').length > 3);
    expect(settled).to.equal(false);
    talk.close('done');
    expect((await asked).ok).to.equal(false);
  });

  it('cannot replay a command: the node refuses it, also after a restart', async () => {
    const talk = await session();
    value(await status(talk));
    const request = relay.seen.find(
      ({ towards, bytes }) =>
        towards === 'node' &&
        Buffer.from(dataOf(bytes)?.bytes ?? [])
          .toString('latin1')
          .startsWith('R1'),
    );
    const data = dataOf(request?.bytes ?? Buffer.of());
    if (!data) throw new Error('no request was seen');
    relay.seen.length = 0;
    relay.inject('node', formatGatewayFrame(data));
    expect(await hintSeen()).to.include('"replayed"');
    talk.close('done');
    await node.stop('SIGKILL');
    await until(() => hub.view().nodes.length === 0);
    await node.run();
    await until(() => hub.view().nodes.length === 1);
    const again = await session();
    value(await status(again));
    const channel = relay.seen.flatMap(({ bytes }) => dataOf(bytes)?.channel ?? []).at(-1) ?? 0;
    relay.inject('node', formatGatewayFrame({ ...data, channel }));
    await until(() => node.log.includes('"wrong-boot"'));
    again.close('done');
  });
});
