import { expect } from 'chai';
import { NodeLink } from '../../../console/nodes/link.js';
import { dial, socketChannel } from '../../../protocol/socket.js';
import { Follower, type Heard } from '../../../console/nodes/follower.js';
import { NodeSession } from '../../../console/nodes/session.js';
import { makePair, type Pair } from '../../../crypto/rsa.js';
import type { MessageChannel } from '../../../protocol/channel.js';
import { silentLog } from '../../../protocol/log.js';
import { ok, type Result } from '../../../protocol/result.js';
import { FakeNode } from '../../fakes/node.js';
import { until } from '../../fakes/until.js';

const clocks = { wall: () => Date.now(), steady: () => performance.now() };

async function connect(url: string): Promise<Result<MessageChannel>> {
  const socket = await dial({ url, timeout_ms: 5000 });
  return socket.ok ? ok(socketChannel(socket.value, url)) : socket;
}

describe('the connection of a console to a node, over real sockets', () => {
  let node: FakeNode;
  let pair: Pair;
  let url: string;
  const links: NodeLink[] = [];

  before(async () => {
    node = await FakeNode.make();
    pair = await makePair(2048);
  });
  beforeEach(async () => {
    node.behaviour = 'answer';
    node.words = ['one', 'two', 'three'];
    node.endsStreams = true;
    node.consoles.set(pair.public.id, pair.public);
    url = await node.listen();
  });
  afterEach(async () => {
    for (const link of links.splice(0)) link.stop();
    await node.stop();
  });

  const session = async (expected = node.id): Promise<NodeSession> => {
    const channel = await connect(url);
    if (!channel.ok) throw new Error(channel.refusal.detail);
    return new NodeSession(channel.value, pair, expected, clocks);
  };
  const to = (): { level: number; lease: string; key: Pair['public'] } => ({
    level: 0,
    lease: node.lease,
    key: node.pair.public,
  });
  const link = (ask_ms = 20): NodeLink => {
    const made = new NodeLink({
      node: node.id,
      to: to(),
      pair,
      clocks,
      chance: () => 0,
      patience: { late_ms: 300, unknown_ms: 700 },
      ask_ms,
      log: silentLog,
      connect: async () => connect(url),
      onChange: () => {},
    });
    links.push(made);
    made.start();
    return made;
  };

  it('carries a command sealed to the node and its answer back', async () => {
    const talk = await session();
    const reply = await talk.request({ command: { type: 'status' }, to: to() });
    expect(reply.ok && reply.value.result).to.deep.equal({ name: 'fake' });
    talk.close('done');
  });

  it('answers a refusal of the node with its code', async () => {
    const talk = await session();
    node.behaviour = 'refuse';
    const refused = await talk.request({ command: { type: 'status' }, to: to() });
    expect(!refused.ok && refused.refusal.code).to.equal('not-found');
    node.behaviour = 'hint';
    const hinted = await talk.request({ command: { type: 'status' }, to: to() });
    expect(!hinted.ok && hinted.refusal.code).to.equal('wrong-boot');
    talk.close('done');
  });

  it('will not speak to another node than the one it means', async () => {
    const talk = await session('B'.repeat(43));
    const refused = await talk.request({ command: { type: 'status' }, to: to() });
    expect(!refused.ok && refused.refusal.code).to.equal('wrong-node');
    talk.close('done');
  });

  it('ends what waits, and the streams, when the connection is lost', async () => {
    const talk = await session();
    await talk.hello();
    node.behaviour = 'silent';
    const waiting = talk.request({ command: { type: 'status' }, to: to() });
    await node.stop();
    const refused = await waiting;
    expect(!refused.ok && refused.refusal.code).to.equal('unreachable');
  });

  it('gives the frames of a stream in order, and its end', async () => {
    const talk = await session();
    const words: string[] = [];
    const end = new Promise<Result<true>>((resolve) => {
      void talk.request({
        command: { type: 'events.follow' },
        to: to(),
        onFrame: (frame) => void words.push(Buffer.from(frame).toString()),
        onEnd: resolve,
      });
    });
    expect((await end).ok).to.equal(true);
    expect(words).to.deep.equal(['one', 'two', 'three']);
    talk.close('done');
  });

  it('acknowledges what it has taken in of a stream, many frames at once and the rest a moment later', async () => {
    node.words = Array.from({ length: 20 }, (_, i) => String(i));
    node.endsStreams = false;
    node.acknowledged.length = 0;
    const talk = await session();
    const taken: string[] = [];
    await talk.request({
      command: { type: 'events.follow' },
      to: to(),
      onFrame: (frame) => void taken.push(Buffer.from(frame).toString()),
    });
    await until(() => node.acknowledged.at(-1) === '{"ack":20}');
    expect(node.acknowledged).to.deep.equal(['{"ack":8}', '{"ack":16}', '{"ack":20}']);
    expect(taken).to.deep.equal(node.words);
    talk.close('done');
  });

  it('goes on after the last event that it handed on, and says what is missing', async () => {
    const heard: Heard[] = [];
    const follower = new Follower((one) => heard.push(one));
    const event = (seq: number): string => JSON.stringify({ seq, time: 1, kind: 'x' });
    for (const words of [[event(5), `${event(6)}\n${event(7)}`], [event(7), event(8)], [event(11)]]) {
      node.words = words;
      node.endsStreams = true;
      const talk = await session();
      expect((await follower.follow(talk, to())).ok).to.equal(true);
      talk.close('done');
    }
    expect(heard.flatMap(({ events }) => events.map(({ seq }) => seq))).to.deep.equal([5, 6, 7, 8, 11]);
    expect(heard.at(-1)?.gap).to.deep.equal({ from: 9, to: 10 });
    const asked = node.commands.filter((command) => command.type === 'events.follow').slice(-3);
    expect(asked).to.deep.equal([
      { type: 'events.follow' },
      { type: 'events.follow', after: 7 },
      { type: 'events.follow', after: 8 },
    ]);
  });

  it('shows a node as good while it answers, then silent, then unknown, and good again when it is back', async () => {
    const shown = link();
    await until(() => shown.known.state === 'good');
    expect(shown.known.status).to.deep.equal({ name: 'fake' });
    const port = Number(new URL(url).port);
    await node.stop();
    await until(() => shown.known.state === 'silent');
    await until(() => shown.known.state === 'unknown' || shown.known.state === 'connecting');
    expect(shown.known.lastSeen).to.be.a('number');
    await node.listen(port);
    await until(() => shown.known.state === 'good');
  });

  it('shows a node that holds the connection but does not answer as silent', async () => {
    const shown = link();
    await until(() => shown.known.state === 'good');
    node.behaviour = 'silent';
    await until(() => shown.known.state === 'silent');
  });

  it('shows a node that does not know this console as refused', async () => {
    node.consoles.clear();
    const shown = link();
    await until(() => shown.known.state === 'refused');
    expect(shown.known.refusal?.code).to.equal('unknown-console');
  });

  it('leaves nothing behind when it stops', async () => {
    const shown = link();
    await until(() => shown.known.state === 'good');
    shown.stop();
    await until(() => node.open === 0);
  });
});
