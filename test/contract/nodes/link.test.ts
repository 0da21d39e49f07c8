import { expect } from 'chai';
import { NodeLink } from '../../../console/nodes/link.js';
import { dial, socketChannel } from '../../../protocol/socket.js';
import { Follower, type Heard } from '../../../console/nodes/follower.js';
import { NodeSession } from '../../../console/nodes/session.js';
import { makePair, type Pair } from '../../../crypto/rsa.js';
import type { MessageChannel } from '../../../protocol/channel.js';
import { silentLog } from '../../../protocol/log.js';
import type { Answer } from '../../../protocol/question.js';
import { digestOf } from '../../../crypto/bytes.js';
import { newId } from '../../../protocol/request.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
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
  let heart: NodeJS.Timeout | undefined;

  before(async () => {
    node = await FakeNode.make();
    pair = await makePair(2048);
  });
  beforeEach(async () => {
    node.behaviour = 'answer';
    node.words = ['{"alive":0}'];
    node.endsStreams = false;
    node.answers = (right) => right;
    node.gives = () => true;
    node.consoles.set(pair.public.id, pair.public);
    url = await node.listen();
  });
  afterEach(async () => {
    clearInterval(heart);
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
  const link = (ask_ms = 20, way = async () => connect(url)): NodeLink => {
    const made = new NodeLink({
      node: node.id,
      to: to(),
      pair,
      clocks,
      chance: () => 0,
      patience: { answer_ms: 200, late_ms: 300, unknown_ms: 700 },
      ask_ms,
      log: silentLog,
      connect: way,
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
    node.words = ['one', 'two', 'three'];
    node.endsStreams = true;
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

  it('acknowledges what it has taken in of a stream: much of it at once, little of it together and a moment later', async () => {
    for (const [frames, characters, acknowledgements] of [
      [20, 2000, [1, 19]],
      [12, 200_000, [2, 12]],
    ] as const) {
      node.words = Array.from({ length: frames }, (_, i) => `${i} ${'x'.repeat(characters)}`);
      node.endsStreams = false;
      node.acknowledged.length = 0;
      const talk = await session();
      const taken: string[] = [];
      await talk.request({
        command: { type: 'events.follow' },
        to: to(),
        onFrame: (frame) => void taken.push(Buffer.from(frame).toString()),
      });
      await until(() => node.acknowledged.at(-1) === `{"ack":${frames}}`);
      const [least, most] = acknowledgements;
      expect(node.acknowledged.length).to.be.within(least, most);
      expect(taken).to.deep.equal(node.words);
      talk.close('done');
    }
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
    expect(shown.known.status).to.include({ name: 'fake' });
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
    node.answers = () => undefined;
    await until(() => shown.known.state === 'silent');
  });

  it('does not take a node for good because it beats, before it answered on this connection', async () => {
    node.answers = () => undefined;
    const shown = link();
    await until(() => node.commands.some(({ type }) => type === 'events.follow') && node.open > 0);
    beating();
    await until(() => shown.known.state === 'late');
    expect(shown.known.questions.right).to.equal(0);
  });

  it('asks a node that gives no stream by commands, and shows it as good', async () => {
    node.gives = (type) => type !== 'events.follow';
    const shown = link();
    await until(() => shown.known.state === 'good');
    expect(shown.known.status).to.deep.equal({ name: 'fake' });
  });

  it('acknowledges no single sign of life', async () => {
    node.acknowledged.length = 0;
    const shown = link(10_000);
    await until(() => shown.known.state === 'good');
    beating();
    await until(() => node.acknowledged.some((said) => !said.includes('ask')));
    const counts = node.acknowledged
      .filter((said) => !said.includes('ask'))
      .map((said) => Number(/\d+/.exec(said)?.[0]));
    for (const [at, count] of counts.entries()) expect(count - (counts[at - 1] ?? 0)).to.be.at.least(7);
  });

  /** A stream that stays open, over which questions go. */
  const questioned = async (): Promise<NodeLink> => {
    const shown = link();
    await until(() => shown.known.questions.right >= 3);
    return shown;
  };
  /** A node that beats like a heart, whatever else it does. */
  const beating = (): void => {
    heart = setInterval(() => void node.beat(), 20);
  };

  it('asks over the stream of events, so that only the first question of a connection costs private keys', async () => {
    const before = node.commands.length;
    const shown = await questioned();
    expect(shown.known.state).to.equal('good');
    expect(shown.known.status).to.include({ node: node.id, lease: node.lease });
    expect(node.commands.slice(before).map(({ type }) => type)).to.deep.equal(['events.follow']);
  });

  it('shows a node that beats and does not answer as late, one whose answer comes late too, and good after one in time', async () => {
    const shown = await questioned();
    beating();
    let held: (() => void) | undefined;
    node.answers = (right) => {
      held = () => void node.say(right);
      return undefined;
    };
    await until(() => shown.known.state === 'late' && held !== undefined);
    const late = shown.known.questions.late;
    // The node asks nothing of how long it took: the console knows.
    node.answers = () => undefined;
    held?.();
    await until(() => shown.known.questions.late === late + 1);
    expect(shown.known.state).to.equal('late');
    clearInterval(heart);
    await until(() => shown.known.state === 'silent');
    node.answers = (right) => right;
    held = undefined;
    expect(shown.known.questions.wrong).to.equal(0);
  });

  it('takes nothing that is not under the node’s seal for a wrong answer', async () => {
    for (const code of ['malformed', 'wrong-answer']) {
      node.hints.set('events.follow', code);
      const shown = link();
      const before = node.commands.length;
      await until(() => node.commands.length > before + 4);
      expect(shown.known.questions.wrong).to.equal(0);
      expect(shown.known.state).to.not.equal('wrong');
      shown.stop();
    }
    node.hints.clear();
  });

  const lies: Readonly<Record<string, (right: Answer) => object>> = {
    'a question that was not asked': (right) => ({ ...right, answer: newId() }),
    'another node': (right) => ({ ...right, status: { ...right.status, node: newId() } }),
    'another lease': (right) => ({ ...right, status: { ...right.status, lease: newId() } }),
    'it started at another time': (right) => ({ ...right, status: { ...right.status, started: 2 } }),
    'its history went back': (right) => ({ ...right, head: { ...right.head, seq: 6 } }),
    'entry 7 of its history is another': (right) => ({
      ...right,
      head: { seq: 7, digest: digestOf('other') },
    }),
    'not of the protocol': (right) => ({ ...right, answer: 'word' }),
    'does not know of it': (right) => ({ ...right, status: { ...right.status, nextEvent: 0 } }),
  };
  for (const [what, lie] of Object.entries(lies))
    it(`shows a node whose answer is wrong as wrong until a right one: ${what}`, async () => {
      const shown = await questioned();
      beating();
      const status = shown.known.status;
      node.answers = (right) => lie({ ...right, status: { ...right.status, name: 'lie' } });
      await until(() => shown.known.state === 'wrong');
      expect(shown.known.refusal).to.include({ code: 'wrong-answer' });
      expect(shown.known.refusal?.detail).to.include(what);
      // What it said with it is not taken either.
      expect(shown.known.status).to.deep.equal(status);
      const { right } = shown.known.questions;
      node.answers = (answer) => answer;
      if (what === 'a question that was not asked') await node.answerLast();
      await until(() => shown.known.questions.right > right && shown.known.state === 'good');
      expect(shown.known.refusal).to.equal(undefined);
    });

  it('shows a node that a gateway does not have as silent and then unknown: the gateway’s word is no refusal by the node', async () => {
    const seen: string[] = [];
    let away = false;
    const shown = link(20, async () => (away ? refuse('gateway-node-away', node.id) : connect(url)));
    await until(() => shown.known.state === 'good');
    away = true;
    await node.stop();
    await until(() => {
      seen.push(shown.known.state);
      return shown.known.state === 'unknown' || shown.known.state === 'connecting';
    });
    expect(seen).to.include('silent').and.not.include('refused');
    expect(shown.known.refusal?.code).to.equal('gateway-node-away');
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
