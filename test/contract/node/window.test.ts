import { expect } from 'chai';
import { limits } from '../../../protocol/limits.js';
import { streamOpener, streamSealer } from '../../../protocol/reply.js';
import { openReply } from '../../../protocol/reply.js';
import { formatEnvelope, parseWire } from '../../../protocol/wire.js';
import { craft } from '../../fakes/craft.js';
import { value } from '../../fakes/results.js';
import { until } from '../../fakes/until.js';
import { makeKit, MemoryChannel, type Kit } from './service-kit.js';

describe('a follower of events that does not acknowledge', () => {
  let kit: Kit;
  before(async () => {
    kit = await makeKit();
  });
  after(() => kit.remove());

  it('is sent no more than the window, from then on only what it makes room for, and in the end everything once', async () => {
    const { events, core } = kit.heart;
    const channel = new MemoryChannel('follower');
    kit.service.serve(channel);
    const hello = { boot: kit.boot, nonce: kit.nonce() };
    const request = await craft(kit.landlord, kit.to, { type: 'events.follow', after: 0 }, hello);
    await channel.tell(formatEnvelope('R1', request.text));
    await until(() => channel.said.length > 1);
    const wire = value(parseWire(String(channel.said[0])));
    if (wire.kind !== 'reply') throw new Error('no reply');
    const { stream = '' } = value(await openReply(request.secret, request.digest, wire.envelope));
    const opener = streamOpener(request.secret, request.digest, stream, 'from-node');
    const sealer = streamSealer(request.secret, request.digest, stream, 'to-node');

    const count = 50_000;
    for (let at = 0; at < count; at += 1)
      events.add({ to: [0], kind: 'test', fields: { at, text: 'x'.repeat(220) } });
    await core.flushEvents();
    const frames = (): Uint8Array[] => channel.said.filter((it): it is Uint8Array => typeof it !== 'string');
    const sent = (): number => frames().reduce((sum, frame) => sum + frame.length, 0);
    await until(() => sent() >= limits.stream_window_bytes);
    expect(sent()).to.be.most(limits.stream_window_bytes + limits.stream_frame_bytes_max);

    const seqs: number[] = [];
    let taken = 0;
    while (seqs.at(-1) !== count) {
      await until(() => frames().length > taken);
      for (const frame of frames().slice(taken)) {
        const opened = opener.open(frame);
        if ('fault' in opened) throw new Error(opened.fault);
        taken += 1;
        for (const line of Buffer.from(opened.plaintext).toString().split('\n')) {
          const { seq } = JSON.parse(line) as { seq?: number };
          if (seq !== undefined) seqs.push(seq);
        }
      }
      expect(sent()).to.be.most(
        frames()
          .slice(0, taken)
          .reduce((sum, frame) => sum + frame.length, 0) +
          limits.stream_window_bytes +
          limits.stream_frame_bytes_max,
      );
      await channel.tell(sealer.seal(Buffer.from(JSON.stringify({ ack: taken }))));
    }
    expect(seqs).to.deep.equal(seqs.map((_, at) => at + 1));
  });
});
