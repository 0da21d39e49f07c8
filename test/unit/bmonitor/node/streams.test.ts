import { expect } from 'chai';
import type { EventLog } from '../../../../bmonitor/node/events.js';
import { ChannelStreams, type Serving } from '../../../../bmonitor/node/streams.js';
import { Secret } from '../../../../crypto/secret.js';
import type { Message, MessageChannel } from '../../../../protocol/channel.js';
import { limits } from '../../../../protocol/limits.js';
import { silentLog } from '../../../../protocol/log.js';
import { streamOpener, streamSealer } from '../../../../protocol/reply.js';
import { ok } from '../../../../protocol/result.js';
import { refusalIn, value } from '../../../fakes/results.js';
import { until } from '../../../fakes/until.js';

const digest = 'A'.repeat(43);
const secret = (): Secret => Secret.take(new Uint8Array(32).fill(7));

/** What one console opens on one connection; what the node sends stands in `sent`. */
class Connection {
  readonly sent: Message[] = [];
  readonly streams: ChannelStreams;

  constructor() {
    const channel: MessageChannel = {
      source: 'test',
      send: async (message) => (this.sent.push(message), true),
      onMessage: () => {},
      onClose: () => {},
      close: () => {},
    };
    this.streams = new ChannelStreams(channel, {} as EventLog, silentLog);
  }

  /** Opens a stream of bytes; gives its name and what seals the console's frames. */
  begin(serve: Serving['serve']): { readonly name: string; readonly say: (text: string) => Uint8Array } {
    const name = value(
      this.streams.openDuplex({ secret: secret(), digest, mayHear: () => ok(undefined), serve }),
    );
    const sealer = streamSealer(secret(), digest, name, 'to-node');
    this.streams.begin(name);
    return { name, say: (text) => sealer.seal(Buffer.from(text)) };
  }

  async ended(name: string): Promise<unknown> {
    const opener = streamOpener(secret(), digest, name, 'from-node');
    for (let at = 0; ; at += 1) {
      await until(() => this.sent.length > at);
      const opened = opener.open(this.sent[at] as Uint8Array);
      if ('fault' in opened) throw new Error(opened.fault);
      if (opened.final) return JSON.parse(Buffer.from(opened.plaintext).toString());
    }
  }
}

describe('a stream that the node ends', () => {
  it('takes it for no fault when an acknowledgement comes that crossed its last frame', async () => {
    const at = new Connection();
    const { name, say } = at.begin(async (duplex) => {
      await duplex.write(Buffer.from('the last bytes'));
      return ok({});
    });
    expect(await at.ended(name)).to.deep.equal({ done: {} });
    expect(at.streams.take(say('{"ack":1}')).ok).to.equal(true);
    expect(at.streams.take(say('{"ack":1}')).ok).to.equal(true);
  });

  it('counts one fault and not each frame that was under way behind it', async () => {
    const at = new Connection();
    const { name, say } = at.begin(async (duplex) => (await duplex.closed, ok({})));
    say('{"ack":0}');
    expect(refusalIn(at.streams.take(say('{"ack":0}'))).code).to.equal('stream-gap');
    expect(at.streams.take(say('{"ack":0}')).ok).to.equal(true);
    expect(await at.ended(name)).to.deep.equal({ end: 'stream-gap' });
    expect(at.streams.take(say('{"ack":0}')).ok).to.equal(true);
  });

  it('is not known any more once so many others have ended, and what never was a stream is refused', async () => {
    const at = new Connection();
    const first = at.begin(async () => ok({}));
    await until(() => at.sent.length === 1);
    for (let more = 1; more <= limits.streams_per_channel_max; more += 1) {
      at.begin(async () => ok({}));
      await until(() => at.sent.length === more + 1);
    }
    expect(refusalIn(at.streams.take(first.say('{"ack":0}'))).code).to.equal('stream-ended');
    expect(refusalIn(at.streams.take(Buffer.alloc(64))).code).to.equal('stream-ended');
  });
});
