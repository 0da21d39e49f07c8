import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { WebSocketServer } from 'ws';
import { Hub, type GatewayPolicy } from '../../../console-cluster/gateway/hub.js';
import { listenGateway, type GatewayListening } from '../../../console-cluster/gateway/listen.js';
import { Ways } from '../../../console/nodes/gateways.js';
import { NodeSession } from '../../../console/nodes/session.js';
import { makePair, type Pair } from '../../../crypto/rsa.js';
import { signerOf } from '../../../crypto/signer.js';
import type { MessageChannel } from '../../../protocol/channel.js';
import { dialGateway, type GatewayConnection } from '../../../protocol/gateway/dial.js';
import { formatGatewayFrame } from '../../../protocol/gateway/frames.js';
import { limits } from '../../../protocol/limits.js';
import { silentLog } from '../../../protocol/log.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import { dial } from '../../../protocol/socket.js';
import { FakeNode } from '../../fakes/node.js';
import { refusalIn, value } from '../../fakes/results.js';
import { until } from '../../fakes/until.js';

const clocks = { wall: () => Date.now(), steady: () => performance.now() };

describe('a gateway, over real sockets', () => {
  let node: FakeNode;
  let alder: Pair;
  let birch: Pair;
  let stranger: Pair;
  let hub: Hub;
  let listening: GatewayListening;
  let url: string;
  const toClose: { close(reason: string): void }[] = [];
  const served: MessageChannel[] = [];

  let welcome: () => boolean;
  before(async () => {
    [node, alder, birch, stranger] = await Promise.all([
      FakeNode.make(),
      makePair(2048),
      makePair(2048),
      makePair(2048),
    ]);
    node.consoles.set(alder.public.id, alder.public);
  });
  beforeEach(async () => {
    welcome = () => true;
    const policy: GatewayPolicy = {
      node: async (key) => (key.id === node.id ? ok(true) : refuse('gateway-stranger')),
      async console(key) {
        if (key.id === alder.public.id) return ok({ party: 'alder' });
        return key.id === birch.public.id ? ok({ party: 'birch' }) : refuse('gateway-stranger');
      },
      mayJoin: async (party) => (party === 'alder' && welcome() ? ok(true) : refuse('gateway-not-yours')),
    };
    hub = new Hub({
      policy,
      newNonce: () => randomBytes(32).toString('base64url'),
      now: () => performance.now(),
      wall: () => Date.now(),
      log: silentLog,
    });
    listening = value(await listenGateway(hub, { host: '127.0.0.1', port: 0 }));
    url = `ws://127.0.0.1:${listening.port}`;
  });
  afterEach(async () => {
    for (const one of toClose.splice(0)) one.close('done');
    await listening.close();
    served.length = 0;
  });

  it('is answered when it asks whether a node that dialled is still there', async () => {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    const answered = new Promise<void>((resolve) => {
      server.on('connection', (socket) => {
        const nonce = randomBytes(32).toString('base64url');
        socket.send(formatGatewayFrame({ kind: 'challenge', body: { v: 1, nonce } }));
        socket.once('message', () => {
          socket.send(formatGatewayFrame({ kind: 'welcome', body: { v: 1, channels: 1 } }));
          socket.ping();
        });
        socket.once('pong', () => resolve());
      });
    });
    const { port } = server.address() as AddressInfo;
    const signer = signerOf(node.identity);
    const dialled = value(await dialGateway({ url: `ws://127.0.0.1:${port}`, role: 'node', signer }));
    await answered;
    dialled.close('done');
    server.close();
  });

  const joinNode = async (serve = (channel: MessageChannel) => node.serve(channel)): Promise<void> => {
    const onChannel = (channel: MessageChannel): void => {
      served.push(channel);
      serve(channel);
    };
    toClose.push(value(await dialGateway({ url, role: 'node', signer: signerOf(node.identity), onChannel })));
  };
  const enter = async (pair: Pair): Promise<Result<GatewayConnection>> => {
    const entered = await dialGateway({ url, role: 'console', signer: signerOf(pair) });
    if (entered.ok) toClose.push(entered.value);
    return entered;
  };
  const to = () => ({ level: 0, lease: node.lease, key: node.pair.public });

  it('carries sealed commands, answers and streams between a console and a node that both dialled it', async () => {
    await joinNode();
    const ways = new Ways(alder);
    const channel = value(await ways.connect({ via: 'gateway', url }, node.id));
    const session = new NodeSession(channel, alder, node.id, clocks);
    const reply = value(await session.request({ command: { type: 'status' }, to: to() }));
    expect(reply.result).to.deep.equal({ name: 'fake' });
    node.words = ['one', 'two', 'three'];
    node.endsStreams = true;
    const words: string[] = [];
    const end = new Promise<Result<true>>((resolve) => {
      void session.request({
        command: { type: 'events.follow' },
        to: to(),
        onFrame: (frame) => void words.push(Buffer.from(frame).toString()),
        onEnd: resolve,
      });
    });
    expect((await end).ok).to.equal(true);
    expect(words).to.deep.equal(['one', 'two', 'three']);
    expect(hub.view()).to.deep.include({ nodes: [node.id], consoles: 1, channels: 1 });
    await ways.close();
    await until(() => hub.view().channels === 0 && node.open === 0);
  });

  it('refuses who is not known, before anything else, and remembers the nodes that knocked', async () => {
    expect(refusalIn(await enter(stranger)).code).to.equal('gateway-stranger');
    const knocked = await dialGateway({ url, role: 'node', signer: signerOf(stranger) });
    expect(refusalIn(knocked).code).to.equal('gateway-stranger');
    expect(hub.view().waiting.map(({ id }) => id)).to.deep.equal([stranger.public.id]);
  });

  it('joins no console to a node that is not its own, nor to one that is away', async () => {
    const away = value(await enter(alder));
    expect(refusalIn(await away.open(node.id)).code).to.equal('gateway-node-away');
    await joinNode();
    const other = value(await enter(birch));
    expect(refusalIn(await other.open(node.id)).code).to.equal('gateway-not-yours');
    expect(served.length).to.equal(0);
  });

  it('cuts off who sends anything before a proof, or rubbish after it', async () => {
    const early = value(await dial({ url, timeout_ms: 5000 }));
    early.resume();
    early.send(formatGatewayFrame({ kind: 'open', channel: 1, body: { to: node.id } }));
    await new Promise((resolve) => early.once('close', resolve));
    expect(hub.view().channels).to.equal(0);
  });

  it('cuts a console off that a lease no longer joins to the node', async () => {
    await joinNode();
    const console = value(await enter(alder));
    const channel = value(await console.open(node.id));
    const closed = new Promise<string>((resolve) => channel.onClose(resolve));
    welcome = () => false;
    await hub.partUnwelcome();
    expect(await closed).to.equal('gateway-not-yours');
    await until(() => node.open === 0);
  });

  it('lets the newer connection of a node take the place of the older', async () => {
    await joinNode();
    await joinNode();
    const console = value(await enter(alder));
    value(await console.open(node.id));
    await until(() => served.length === 1);
    expect(hub.view().nodes).to.deep.equal([node.id]);
  });

  it('carries large messages whole, both ways, also several at once', async () => {
    const large = 'x'.repeat(3_000_000);
    await joinNode((channel) => channel.onMessage(async (message) => void (await channel.send(message))));
    const console = value(await enter(alder));
    const echo = async (mark: string): Promise<boolean> => {
      const channel = value(await console.open(node.id));
      const back = new Promise<boolean>((resolve) => channel.onMessage((m) => resolve(m === mark + large)));
      await channel.send(mark + large);
      return back;
    };
    expect(await Promise.all(['a', 'b', 'c'].map(echo))).to.deep.equal([true, true, true]);
  }).timeout(60_000);

  it('makes the sender wait for a receiver that does not read, and holds up nobody else', async () => {
    let slow = true;
    await joinNode((channel) => {
      const stuck = slow;
      slow = false;
      channel.onMessage(async (message) => {
        if (stuck) await new Promise(() => {});
        await channel.send(message);
      });
    });
    const console = value(await enter(alder));
    const first = value(await console.open(node.id));
    let sent = 0;
    const message = Buffer.alloc(64 * 1024);
    const pouring = (async () => {
      while (await first.send(message)) sent += message.length;
    })();
    const second = value(await console.open(node.id));
    const back = new Promise<string>((resolve) => second.onMessage((m) => resolve(String(m))));
    await second.send('hello');
    expect(await back).to.equal('hello');
    // One message is with the handler, and at most a window is on its way.
    expect(sent).to.be.at.most(limits.gateway_window_bytes + 2 * message.length);
    first.close('enough');
    await pouring;
  });

  it('parts a console that sends more than it was granted, without harm to others', async () => {
    await joinNode((channel) => channel.onMessage(() => new Promise<void>(() => {})));
    // A dialler that does not keep to its credit, made from the same parts.
    const socket = value(await dial({ url, timeout_ms: 5000 }));
    const frames: Buffer[] = [];
    socket.on('message', (data) => frames.push(data as Buffer));
    const { makeProof } = await import('../../../protocol/gateway/proof.js');
    const { parseGatewayFrame } = await import('../../../protocol/gateway/frames.js');
    socket.resume();
    await until(() => frames.length > 0);
    const challenge = value(parseGatewayFrame(frames[0] ?? Buffer.of()));
    if (challenge.kind !== 'challenge') throw new Error(challenge.kind);
    const body = await makeProof(signerOf(alder), 'console', challenge.body.nonce, undefined);
    socket.send(formatGatewayFrame({ kind: 'proof', body }));
    await until(() => frames.length > 1);
    socket.send(formatGatewayFrame({ kind: 'open', channel: 1, body: { to: node.id } }));
    await until(() => frames.length > 2);
    const piece = Buffer.alloc(limits.gateway_piece_bytes_max);
    for (let total = 0; total <= 2 * limits.gateway_window_bytes; total += piece.length)
      socket.send(formatGatewayFrame({ kind: 'data', channel: 1, last: false, text: false, bytes: piece }));
    await until(() =>
      frames.some((bytes) => {
        const frame = parseGatewayFrame(bytes);
        return frame.ok && frame.value.kind === 'close' && frame.value.body.code === 'gateway-overrun';
      }),
    );
    socket.terminate();
  });
});
