import { randomBytes } from 'node:crypto';
import { toB64u } from '../../crypto/bytes.js';
import { utf8 } from '../../crypto/jose.js';
import type { Secret } from '../../crypto/secret.js';
import { streamIdOf, type StreamOpener, type StreamSealer } from '../../crypto/stream.js';
import type { MessageChannel } from '../../protocol/channel.js';
import type { ErrorCode } from '../../protocol/errors/index.js';
import { parseJson } from '../../protocol/json.js';
import { limits } from '../../protocol/limits.js';
import type { Log } from '../../protocol/log.js';
import { messageOf } from '../../protocol/log.js';
import { followerForm, type Answer } from '../../protocol/question.js';
import { streamNameOf, streamOpener, streamSealer } from '../../protocol/reply.js';
import { ok, refuse, type Refusal, type Result } from '../../protocol/result.js';
import { Duplex } from './duplex.js';
import type { EventLog } from './events.js';

export interface Following {
  /** The secret and the digest of the request that asked. */
  readonly secret: Secret;
  readonly digest: string;
  readonly lease: string;
  readonly after: number | undefined;
  /** Asked before every frame: a console that was removed since, or whose lease ended, hears nothing more. */
  readonly mayHear: () => Result<void>;
  /** What the follower's questions are answered with. */
  readonly answer: () => Promise<Result<Omit<Answer, 'answer'>>>;
}

/** A stream of bytes, and who serves it until its end. */
export interface Serving extends Pick<Following, 'secret' | 'digest' | 'mayHear'> {
  serve(duplex: Duplex): Promise<Result<Readonly<Record<string, unknown>>>>;
  /** After this the stream ends with this refusal, whatever was served by then. Absent: it takes as long as it takes. */
  readonly atMost?: { readonly ms: number; readonly refusal: Refusal };
}

interface OpenDuplex extends Serving {
  readonly duplex: Duplex;
  readonly opener: StreamOpener;
}

interface Stream extends Following {
  readonly name: string;
  readonly sealer: StreamSealer;
  readonly opener: StreamOpener;
  next: number;
  /** Sizes of the frames that are on their way, oldest first. */
  readonly unacknowledged: number[];
  sent: number;
  acknowledged: number;
  bytes: number;
  /** The nonce of the follower's question that has no answer yet; a later question takes its place. */
  asked: string | undefined;
  /** Something was written or said since it was last looked at. */
  stirred: boolean;
  wake: () => void;
  stopListening: () => void;
}

/**
 * The streams of one channel: events of a lease, from after a number on, in frames of many lines. What the other side has not
 * acknowledged is bounded by a window, so that a follower that reads slowly slows only itself.
 *
 * INVARIANTS:
 * - A line is read from the log only when there is room to send it: what waits for a follower waits on the disk.
 * - Frames go out in the order in which they were sealed; after the final one, none.
 */
export class ChannelStreams {
  readonly #channel: MessageChannel;
  readonly #events: EventLog;
  readonly #log: Log;
  readonly #streams = new Map<string, Stream>();
  readonly #duplexes = new Map<string, OpenDuplex>();
  /** Streams that this side ended, the newest last: what the other side said before it knew is no fault of it. */
  readonly #ended = new Set<string>();
  /** One frame of the channel's streams at a time goes to the socket, so that many streams hold no more than one. */
  #sending: Promise<unknown> = Promise.resolve();

  constructor(channel: MessageChannel, events: EventLog, log: Log) {
    this.#channel = channel;
    this.#events = events;
    this.#log = log;
  }

  /** Makes the stream; its first frame goes out with `begin`, after the reply that names it. */
  open(following: Following): Result<string> {
    if (this.#streams.size + this.#duplexes.size >= limits.streams_per_channel_max)
      return refuse('too-many', 'too many streams on one connection');
    const name = toB64u(randomBytes(16));
    const { secret, digest, lease, after } = following;
    const stream: Stream = {
      ...following,
      name,
      next: after === undefined ? this.#events.next(lease) : after + 1,
      sealer: streamSealer(secret, digest, name, 'from-node'),
      opener: streamOpener(secret, digest, name, 'to-node'),
      unacknowledged: [],
      sent: 0,
      acknowledged: 0,
      bytes: 0,
      asked: undefined,
      stirred: true,
      wake: () => {},
      stopListening: () => {},
    };
    stream.stopListening = this.#events.onWritten(() => stir(stream));
    this.#streams.set(name, stream);
    return ok(name);
  }

  /** Makes a stream of bytes; it is served from `begin` on. */
  openDuplex(serving: Serving): Result<string> {
    if (this.#streams.size + this.#duplexes.size >= limits.streams_per_channel_max)
      return refuse('too-many', 'too many streams on one connection');
    const name = toB64u(randomBytes(16));
    const { secret, digest, mayHear } = serving;
    const opener = streamOpener(secret, digest, name, 'to-node');
    const duplex = new Duplex({
      sealer: streamSealer(secret, digest, name, 'from-node'),
      opener,
      mayHear,
      send: (frame) => this.#channel.send(frame),
    });
    this.#duplexes.set(name, { ...serving, duplex, opener });
    return ok(name);
  }

  begin(name: string): void {
    const serving = this.#duplexes.get(name);
    if (serving) {
      const { atMost, duplex } = serving;
      const late = (): void => void (atMost && duplex.finish({ ok: false, refusal: atMost.refusal }));
      const timer = atMost && setTimeout(late, atMost.ms);
      serving
        .serve(serving.duplex)
        .then((result) => serving.duplex.finish(result))
        .catch((error: unknown) => {
          this.#log.error('stream.fault', { why: messageOf(error) });
          this.#channel.close('a stream failed');
        })
        .finally(() => {
          clearTimeout(timer);
          this.#duplexes.delete(name);
          if (!serving.duplex.whole) this.#remember(name);
        });
      return;
    }
    const stream = this.#streams.get(name);
    if (!stream) return;
    this.#run(stream).catch((error: unknown) => {
      this.#log.error('stream.fault', { why: messageOf(error) });
      this.#channel.close('a stream failed');
    });
  }

  /** A frame from the follower. */
  take(frame: Uint8Array): Result<void> {
    const id = streamIdOf(frame);
    const duplex = id && this.#duplexes.get(streamNameOf(id));
    if (duplex) return takeBytes(duplex, frame);
    const stream = id && this.#streams.get(streamNameOf(id));
    if (!stream) {
      if (id && this.#ended.has(streamNameOf(id))) return ok(undefined);
      return refuse('stream-ended', 'no such stream on this connection');
    }
    const opened = stream.opener.open(frame);
    if ('fault' in opened) {
      this.#end(stream, faultCodes[opened.fault]);
      return refuse(faultCodes[opened.fault]);
    }
    if (opened.final) {
      this.#end(stream, undefined);
      return ok(undefined);
    }
    const json = parseJson(opened.plaintext);
    const said = json.ok ? followerForm(json.value, '') : json;
    if (!said.ok || said.value.ack > stream.sent) {
      this.#end(stream, 'malformed');
      return refuse('malformed', 'neither an acknowledgement nor a question');
    }
    stream.asked = said.value.ask ?? stream.asked;
    while (stream.acknowledged < said.value.ack) {
      stream.acknowledged += 1;
      stream.bytes -= stream.unacknowledged.shift() ?? 0;
    }
    stir(stream);
    return ok(undefined);
  }

  close(): void {
    for (const stream of this.#streams.values()) this.#forget(stream);
    for (const { duplex } of this.#duplexes.values()) duplex.cut();
  }

  async #run(stream: Stream): Promise<void> {
    let alive = false;
    while (this.#streams.has(stream.name)) {
      const may = stream.mayHear();
      if (!may.ok) return this.#end(stream, may.refusal.code);
      stream.stirred = false;
      const full = stream.bytes >= limits.stream_window_bytes;
      const answers = full ? ok([]) : await answersTo(stream);
      if (!answers.ok) return this.#end(stream, answers.refusal.code);
      const lines = full ? [] : [...answers.value, ...(await this.#linesFor(stream))];
      // The first frame comes at once, so that the follower knows where it stands.
      if (!full && lines.length === 0 && !alive) lines.push(JSON.stringify({ alive: stream.next - 1 }));
      if (lines.length > 0) {
        alive = true;
        await this.#send(stream, lines);
      } else if (!(await stirredOrQuiet(stream))) alive = false;
    }
  }

  /** As many lines as make a good frame, and what is missing before them. */
  async #linesFor(stream: Stream): Promise<string[]> {
    const lines: string[] = [];
    let size = 0;
    while (size < limits.stream_frame_bytes_max / 2) {
      const read = await this.#events.read(stream.lease, stream.next);
      if (read.from > stream.next)
        lines.push(JSON.stringify({ gap: { from: stream.next, to: read.from - 1 } }));
      stream.next = read.from;
      if (read.lines.length === 0) break;
      for (const line of read.lines) {
        lines.push(line);
        stream.next += 1;
        size += line.length + 1;
        if (size >= limits.stream_frame_bytes_max / 2) break;
      }
    }
    return lines;
  }

  async #send(stream: Stream, lines: readonly string[]): Promise<void> {
    const sent = this.#sending.then(async () => {
      if (!this.#streams.has(stream.name)) return;
      const frame = stream.sealer.seal(utf8(lines.join('\n')));
      stream.sent += 1;
      stream.unacknowledged.push(frame.length);
      stream.bytes += frame.length;
      await this.#channel.send(frame);
    });
    this.#sending = sent;
    await sent;
  }

  /** The final frame says why, under the seal: the follower can tell an end from a cut. */
  #end(stream: Stream, code: ErrorCode | undefined): void {
    if (!this.#forget(stream)) return;
    if (code !== undefined) this.#remember(stream.name);
    void this.#channel.send(
      stream.sealer.seal(utf8(JSON.stringify(code === undefined ? {} : { end: code })), true),
    );
  }

  #remember(name: string): void {
    this.#ended.add(name);
    for (const oldest of this.#ended) {
      if (this.#ended.size <= limits.streams_per_channel_max) return;
      this.#ended.delete(oldest);
    }
  }

  #forget(stream: Stream): boolean {
    const known = this.#streams.delete(stream.name);
    stream.stopListening();
    stir(stream);
    return known;
  }
}

/** A question is answered before what happened since, so that the answer says no more than the lines that were sent before it. */
async function answersTo(stream: Stream): Promise<Result<readonly string[]>> {
  const { asked } = stream;
  if (asked === undefined) return ok([]);
  stream.asked = undefined;
  const answer = await stream.answer();
  return answer.ok ? ok([JSON.stringify({ answer: asked, ...answer.value })]) : answer;
}

/** What cannot be read ends the stream. */
function takeBytes({ duplex, opener }: OpenDuplex, frame: Uint8Array): Result<void> {
  // The last frame is on its way to who said this before it knew.
  if (duplex.over) return ok(undefined);
  const opened = opener.open(frame);
  const taken =
    'fault' in opened ? refuse(faultCodes[opened.fault]) : duplex.take(opened.plaintext, opened.final);
  if (!taken.ok) void duplex.finish(taken);
  return taken;
}

function stir(stream: Stream): void {
  stream.stirred = true;
  stream.wake();
}

/** True when something new came or the follower said something; false when it was quiet for the time of a sign of life. */
function stirredOrQuiet(stream: Stream): Promise<boolean> {
  if (stream.stirred) return Promise.resolve(true);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), limits.stream_alive_ms);
    stream.wake = () => {
      clearTimeout(timer);
      stream.wake = () => {};
      resolve(true);
    };
  });
}

const faultCodes = {
  gap: 'stream-gap',
  repeated: 'stream-repeated',
  tampered: 'stream-tampered',
  ended: 'stream-ended',
  malformed: 'malformed',
} as const;
