import { randomBytes } from 'node:crypto';
import { toB64u } from '../../crypto/bytes.js';
import { utf8 } from '../../crypto/jose.js';
import type { Secret } from '../../crypto/secret.js';
import { streamIdOf, type StreamOpener, type StreamSealer } from '../../crypto/stream.js';
import type { MessageChannel } from '../../protocol/channel.js';
import { parseJson } from '../../protocol/json.js';
import { limits } from '../../protocol/limits.js';
import type { Log } from '../../protocol/log.js';
import { messageOf } from '../../protocol/log.js';
import { object, whole } from '../../protocol/parse.js';
import { streamNameOf, streamOpener, streamSealer } from '../../protocol/reply.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { EventLog } from './events.js';

/** What a follower says of its stream: how many frames it has taken in. */
const acknowledgement = object({ ack: whole({ min: 0, max: Number.MAX_SAFE_INTEGER }) });

interface Stream {
  readonly name: string;
  readonly lease: string;
  readonly from: number;
  readonly sealer: StreamSealer;
  readonly opener: StreamOpener;
  /** Sizes of the frames that are on their way, oldest first. */
  readonly unacknowledged: number[];
  sent: number;
  acknowledged: number;
  bytes: number;
  wake: () => void;
}

/**
 * The streams of one channel: events of a lease, from after a number on, in frames of many lines. What the other side has not acknowledged is
 * bounded by a window, so that a follower that reads slowly slows only itself.
 */
export class ChannelStreams {
  readonly #channel: MessageChannel;
  readonly #events: EventLog;
  readonly #log: Log;
  readonly #streams = new Map<string, Stream>();
  #closed = false;

  constructor(channel: MessageChannel, events: EventLog, log: Log) {
    this.#channel = channel;
    this.#events = events;
    this.#log = log;
  }

  /** Makes the stream; its first frame goes out with `begin`, after the reply that names it. */
  open(secret: Secret, digest: string, lease: string, after: number | undefined): Result<string> {
    if (this.#streams.size >= limits.streams_per_channel_max)
      return refuse('too-many', 'too many streams on one connection');
    const name = toB64u(randomBytes(16));
    this.#streams.set(name, {
      name,
      lease,
      from: after === undefined ? this.#events.next(lease) : after + 1,
      sealer: streamSealer(secret, digest, name, 'from-node'),
      opener: streamOpener(secret, digest, name, 'to-node'),
      unacknowledged: [],
      sent: 0,
      acknowledged: 0,
      bytes: 0,
      wake: () => {},
    });
    return ok(name);
  }

  begin(name: string): void {
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
    const stream = id && this.#streams.get(streamNameOf(id));
    if (!stream) return refuse('stream-ended', 'no such stream on this connection');
    const opened = stream.opener.open(frame);
    if ('fault' in opened) {
      this.#streams.delete(stream.name);
      stream.wake();
      return refuse(faultCodes[opened.fault]);
    }
    if (opened.final) {
      this.#streams.delete(stream.name);
      stream.wake();
      return ok(undefined);
    }
    const json = parseJson(opened.plaintext);
    const said = json.ok ? acknowledgement(json.value, '') : json;
    if (!said.ok || said.value.ack > stream.sent) return refuse('malformed', 'not an acknowledgement');
    while (stream.acknowledged < said.value.ack) {
      stream.acknowledged += 1;
      stream.bytes -= stream.unacknowledged.shift() ?? 0;
    }
    stream.wake();
    return ok(undefined);
  }

  close(): void {
    this.#closed = true;
    for (const stream of this.#streams.values()) stream.wake();
    this.#streams.clear();
  }

  async #run(stream: Stream): Promise<void> {
    let next = stream.from;
    let quietSince = 0;
    while (this.#isOpen(stream)) {
      if (stream.bytes >= limits.stream_window_bytes) {
        await new Promise<void>((resolve) => (stream.wake = resolve));
        continue;
      }
      const changed = this.#events.changed();
      const lines: string[] = [];
      let size = 0;
      while (size < limits.stream_frame_bytes_max / 2) {
        const read = await this.#events.read(stream.lease, next);
        if (read.from > next) lines.push(JSON.stringify({ gap: { from: next, to: read.from - 1 } }));
        next = read.from;
        if (read.lines.length === 0) break;
        for (const line of read.lines) {
          lines.push(line);
          next += 1;
          size += line.length + 1;
          if (size >= limits.stream_frame_bytes_max) break;
        }
      }
      if (lines.length === 0 && quietSince !== 0) {
        const woken = await firstOf(changed, stream);
        if (woken) continue;
      }
      if (lines.length === 0) lines.push(JSON.stringify({ alive: next - 1 }));
      quietSince = 1;
      await this.#send(stream, lines);
    }
  }

  async #send(stream: Stream, lines: readonly string[]): Promise<void> {
    if (!this.#isOpen(stream)) return;
    const frame = stream.sealer.seal(utf8(lines.join('\n')));
    stream.sent += 1;
    stream.unacknowledged.push(frame.length);
    stream.bytes += frame.length;
    await this.#channel.send(frame);
  }

  #isOpen(stream: Stream): boolean {
    return !this.#closed && this.#streams.get(stream.name) === stream;
  }
}

/** True when something new came or the follower said something; false when it was quiet for the time of a sign of life. */
function firstOf(changed: Promise<void>, stream: Stream): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), limits.stream_alive_ms);
    const wake = (): void => {
      clearTimeout(timer);
      resolve(true);
    };
    stream.wake = wake;
    void changed.then(wake);
  });
}

const faultCodes = {
  gap: 'stream-gap',
  repeated: 'stream-repeated',
  tampered: 'stream-tampered',
  ended: 'stream-ended',
  malformed: 'malformed',
} as const;
