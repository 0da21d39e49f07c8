import { streamOpener, streamSealer } from '../../protocol/reply.js';
import type { SealedRequest } from '../../protocol/request.js';
import { until } from '../fakes/until.js';
import type { RawTalk } from './raw-socket.js';

/** A stream of events, whose frames to the node are made one by one and sent as the test likes. */
export class RawStream {
  private constructor(
    readonly raw: RawTalk,
    readonly sealer: ReturnType<typeof streamSealer>,
    readonly opener: ReturnType<typeof streamOpener>,
  ) {}

  static async begin(raw: RawTalk, request: SealedRequest): Promise<RawStream> {
    const answer = await raw.answer(request);
    if ('hint' in answer) throw new Error(answer.hint.code);
    const of = [request.secret, request.digest, answer.reply.stream ?? ''] as const;
    const stream = new RawStream(raw, streamSealer(...of, 'to-node'), streamOpener(...of, 'from-node'));
    await until(() => raw.frames.length > 0);
    return stream;
  }

  readonly ack = (count: number): Uint8Array => this.sealer.seal(Buffer.from(JSON.stringify({ ack: count })));

  /** Opens what came until the final frame, and gives what that says. */
  readonly end = async (): Promise<unknown> => {
    for (let at = 0; ; at += 1) {
      await until(() => this.raw.frames.length > at);
      const opened = this.opener.open(this.raw.frames[at] ?? Buffer.alloc(0));
      if ('fault' in opened) throw new Error(opened.fault);
      if (opened.final) return JSON.parse(Buffer.from(opened.plaintext).toString());
    }
  };
}
