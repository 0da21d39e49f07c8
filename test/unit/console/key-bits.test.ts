import { expect } from 'chai';
import { NodeSession } from '../../../console/nodes/session.js';
import { makePair, type Pair } from '../../../crypto/rsa.js';
import type { Message, MessageChannel } from '../../../protocol/channel.js';
import { newId, openEnvelope, readEnvelope, readStatement } from '../../../protocol/request.js';
import { formatHello, parseWire } from '../../../protocol/wire.js';
import { refusalIn, value } from '../../fakes/results.js';
import { until } from '../../fakes/until.js';

describe('a console that takes no node with short keys', () => {
  let own: Pair;
  let level: Pair;
  const said: string[] = [];
  const sessions: NodeSession[] = [];
  before(async () => {
    [own, level] = await Promise.all([makePair(2048), makePair(2048)]);
  });
  beforeEach(() => void (said.length = 0));
  after(() => {
    for (const one of sessions) one.close('done');
  });

  /** To a node that says hello, and no more. */
  function session(keyBits: number): NodeSession {
    let take: (message: Message) => void | Promise<void> = () => {};
    let ended: (reason: string) => void = () => {};
    const hello = { v: 1, node: own.public.id, boot: newId(), nonce: 'A'.repeat(43), time: 0 };
    const channel: MessageChannel = {
      source: 'test',
      send: async (message) => {
        said.push(String(message));
        if (message === 'H1') void take(formatHello(hello));
        return true;
      },
      onMessage: (handler) => (take = handler),
      onClose: (handler) => (ended = handler),
      close: (reason) => ended(reason),
    };
    const clocks = { wall: () => Date.now(), steady: () => performance.now() };
    const made = new NodeSession(channel, own, own.public.id, clocks, { keyBits });
    sessions.push(made);
    return made;
  }
  const to = () => ({ level: 0, lease: newId(), key: level.public });

  it('asks one nothing whose level has a shorter key', async () => {
    const reply = await session(3072).request({ command: { type: 'status' }, to: to() });
    expect(refusalIn(reply).code).to.equal('weak-key');
    expect(said).to.deep.equal([]);
  });

  it('signs in each request how long they must be', async () => {
    void session(2048).request({ command: { type: 'status' }, to: to() });
    await until(() => said.some((text) => text.startsWith('R1 ')));
    const wire = value(parseWire(said.find((text) => text.startsWith('R1 ')) ?? ''));
    const envelope = value(readEnvelope(wire.kind === 'request' ? wire.envelope : ''));
    const unsealed = value(openEnvelope(envelope, level.private));
    const { claims } = value(await readStatement(unsealed, own.public, level.public.id));
    expect(claims.keyBits).to.equal(2048);
  });
});
