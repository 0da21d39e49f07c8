import type { Pair, PublicKey } from '../../crypto/rsa.js';
import type { StreamOpener, StreamSealer } from '../../crypto/stream.js';
import { streamIdOf } from '../../crypto/stream.js';
import type { Message, MessageChannel } from '../../protocol/channel.js';
import type { Command } from '../../protocol/commands.js';
import { isErrorCode } from '../../protocol/errors/index.js';
import { parseJson } from '../../protocol/json.js';
import { limits } from '../../protocol/limits.js';
import type { Notice } from '../../protocol/notice.js';
import { object, whole } from '../../protocol/parse.js';
import {
  openReply,
  refusalOf,
  replyDigestOf,
  streamNameOf,
  streamOpener,
  streamSealer,
  type Reply,
} from '../../protocol/reply.js';
import { sealRequest, type Addressee, type HistoryHead, type SealedRequest } from '../../protocol/request.js';
import { ok, refuse, type Refused, type Result } from '../../protocol/result.js';
import { formatEnvelope, formatHello, parseWire, type Hello, type Hint } from '../../protocol/wire.js';
import { NoticeReader } from './notices.js';
import type { Pace } from './pace.js';
import { endOf } from './stream-end.js';

export interface Clocks {
  /** Wall clock, for what is written into requests. */
  wall(): number;
  /** Never jumps, for patience. */
  steady(): number;
}

export interface Asked {
  readonly command: Command;
  readonly to: Addressee;
  readonly jti?: string;
  readonly head?: HistoryHead;
  /** What follows the reply, if the node sends a stream. */
  readonly onFrame?: (plaintext: Uint8Array) => void | Promise<void>;
  /** How the stream ended: whole, with what the node said of it, or with a fault. */
  readonly onEnd?: (end: Result<true>, said?: Readonly<Record<string, unknown>>) => void;
  /** For a stream of bytes both ways: how to write to it. */
  readonly onWriter?: (writer: StreamWriter) => void;
  /** For the stream of events: how to ask a question on it, with a nonce. */
  readonly onAsker?: (ask: (nonce: string) => void) => void;
}

/** Bytes to the node. */
export interface StreamWriter {
  /** Resolves when there is room for more; false: the stream is over. */
  write(bytes: Uint8Array): Promise<boolean>;
  /** All was written. */
  end(): void;
}

interface Waiting {
  readonly request: SealedRequest;
  readonly asked: Asked;
  settle(result: Result<Reply>): void;
}

interface Following {
  readonly opener: StreamOpener;
  /** Our direction of the stream: acknowledgements, and its end. */
  readonly sealer: StreamSealer;
  readonly asked: Asked;
  taken: number;
  acknowledged: number;
  /** Bytes taken in that were not acknowledged yet. */
  unsaid: number;
  /** An acknowledgement that waits for more frames to acknowledge with them. */
  later: NodeJS.Timeout | undefined;
  /** Sizes of what we sent and the node has not taken yet. */
  readonly out: number[];
  outAcknowledged: number;
  room: () => void;
}

/** Who wants to hear what the node says unasked, or that something was refused that pretended to be that. */
export interface Noticed {
  /** The identity key N that the console pinned. */
  readonly identity: PublicKey;
  take(notice: Result<Notice>): void;
}

const ackForm = object({ ack: whole({ min: 0, max: Number.MAX_SAFE_INTEGER }) });

/**
 * One conversation with one node over one channel.
 *
 * INVARIANTS:
 * - A request settles exactly once: with its opened reply, with a refusal, or with silence after its time.
 * - What is not sealed (a hello, a hint) never counts as an answer: a false hello leads to requests that the node refuses,
 *   and a hint only ends the waiting early.
 */
export class NodeSession {
  readonly #channel: MessageChannel;
  readonly #pair: Pair;
  readonly #node: string;
  readonly #clocks: Clocks;
  readonly #waiting = new Map<string, Waiting>();
  readonly #streams = new Map<string, Following>();
  #hello: { readonly hello: Hello; readonly at: number } | undefined;
  #helloWaiters: ((result: Result<Hello>) => void)[] = [];
  #closed: string | undefined;
  /** Sealed proofs that the node was handed on, which nobody has opened yet. */
  readonly #sold: string[] = [];
  readonly #notices: NoticeReader | undefined;
  readonly #pace: Pace | undefined;
  /** Shorter keys of the node are refused, here and by what it is asked. */
  readonly #keyBits: number | undefined;

  constructor(
    channel: MessageChannel,
    pair: Pair,
    node: string,
    clocks: Clocks,
    more: {
      readonly noticed?: Noticed | undefined;
      readonly pace?: Pace;
      readonly keyBits?: number | undefined;
    } = {},
  ) {
    const { noticed, pace, keyBits } = more;
    this.#keyBits = keyBits;
    this.#pace = pace;
    this.#channel = channel;
    this.#pair = pair;
    this.#node = node;
    this.#clocks = clocks;
    this.#notices = noticed && new NoticeReader(pair, noticed, clocks);
    channel.onMessage((message) => this.#take(message));
    channel.onClose((reason) => this.#end(reason));
  }

  get open(): boolean {
    return this.#closed === undefined;
  }

  close(reason: string): void {
    this.#channel.close(reason);
  }

  /** The node's boot and a nonce; asked anew when the last one may have become too old. */
  async hello(): Promise<Result<Hello>> {
    const known = this.#hello;
    if (known && this.#clocks.steady() - known.at < limits.nonce_age_ms_max / 2) return ok(known.hello);
    if (this.#closed !== undefined) return refuse('unreachable', this.#closed);
    const answered = new Promise<Result<Hello>>((resolve) => this.#helloWaiters.push(resolve));
    const timer = setTimeout(() => this.#settleHello(refuse('node-silent', 'no hello')), limits.reply_ms_max);
    void this.#channel.send(formatHello());
    const result = await answered;
    clearTimeout(timer);
    return result;
  }

  async request(asked: Asked): Promise<Result<Reply>> {
    const { bits } = asked.to.key;
    if (this.#keyBits !== undefined && bits < this.#keyBits)
      return refuse('weak-key', `the key of the level has ${bits} bits, ${this.#keyBits} are asked for`);
    const hello = await this.hello();
    if (!hello.ok) return hello;
    const request = await sealRequest(this.#pair, asked.to, asked.command, {
      boot: hello.value.boot,
      nonce: hello.value.nonce,
      now_s: Math.floor(this.#clocks.wall() / 1000),
      ...(asked.jti === undefined ? {} : { jti: asked.jti }),
      ...(asked.head === undefined ? {} : { head: asked.head }),
      ...(this.#keyBits === undefined ? {} : { keyBits: this.#keyBits }),
    });
    if (this.#closed !== undefined) return refuse('unreachable', this.#closed);
    return new Promise((resolve) => {
      const timer = setTimeout(
        () => settle(refuse('node-silent', `no reply within ${limits.reply_ms_max} ms`)),
        limits.reply_ms_max,
      );
      const settle = (result: Result<Reply>): void => {
        clearTimeout(timer);
        this.#waiting.delete(request.digest);
        if (!result.ok) this.#notices?.refused(request.digest);
        resolve(result);
      };
      this.#waiting.set(request.digest, { request, asked, settle });
      this.#notices?.asked(request.digest, asked.to);
      void this.#channel.send(formatEnvelope('R1', request.text));
    });
  }

  /** Without a promise where nothing has to be waited for: signs of life come by the thousand. */
  #take(message: Message): void | Promise<void> {
    const wait_ms = this.#pace?.spend(message.length) ?? 0;
    if (wait_ms === 0) return this.#takeNow(message);
    // The channel hands over nothing more until this is done, and reads no further.
    return new Promise((resolve) => setTimeout(resolve, wait_ms)).then(async () => this.#takeNow(message));
  }

  #takeNow(message: Message): void | Promise<void> {
    return typeof message === 'string' ? this.#takeText(message) : this.#takeFrame(message);
  }

  async #takeText(message: string): Promise<void> {
    const parsed = parseWire(message);
    // What is not of the protocol is passed over: it may come from whoever carries the connection.
    if (!parsed.ok) return;
    const wire = parsed.value;
    switch (wire.kind) {
      case 'hello':
        return this.#takeHello(wire.hello);
      case 'reply':
        return this.#takeReply(wire.envelope);
      case 'hint':
        return this.#takeHint(wire.hint);
      case 'notice':
        return this.#notices?.take(wire.envelope);
      case 'sold':
        // They come before the hint that tells what they are about.
        if (this.#sold.length < soldKept_max) this.#sold.push(wire.envelope);
        return;
      case 'hello-asked':
      case 'request':
        return;
    }
  }

  #takeHello(hello: Hello): void {
    if (hello.node !== this.#node) {
      this.#settleHello(refuse('wrong-node', `${hello.node} answers instead of ${this.#node}`));
      return;
    }
    this.#hello = { hello, at: this.#clocks.steady() };
    this.#settleHello(ok(hello));
  }

  #settleHello(result: Result<Hello>): void {
    for (const settle of this.#helloWaiters.splice(0)) settle(result);
  }

  async #takeReply(envelope: string): Promise<void> {
    const digest = replyDigestOf(envelope);
    const waiting = digest.ok ? this.#waiting.get(digest.value) : undefined;
    if (!digest.ok || !waiting) return;
    const opened = await openReply(waiting.request.secret, digest.value, envelope);
    if (!opened.ok) return waiting.settle(opened);
    const reply = opened.value;
    if (reply.jti !== waiting.request.jti)
      return waiting.settle(refuse('malformed', 'another id in the reply'));
    const hello = this.#hello?.hello;
    if (hello) this.#hello = { hello: { ...hello, nonce: reply.nonce }, at: this.#clocks.steady() };
    if (reply.stream !== undefined) {
      const opener = streamOpener(waiting.request.secret, digest.value, reply.stream, 'from-node');
      const sealer = streamSealer(waiting.request.secret, digest.value, reply.stream, 'to-node');
      const fresh = {
        taken: 0,
        acknowledged: 0,
        unsaid: 0,
        later: undefined,
        out: [],
        outAcknowledged: 0,
        room: () => {},
      };
      const following: Following = { opener, sealer, asked: waiting.asked, ...fresh };
      this.#streams.set(reply.stream, following);
      waiting.asked.onWriter?.(this.#writerOf(reply.stream, following));
      const { stream } = reply;
      waiting.asked.onAsker?.((nonce) => this.#sendAck(stream, following, nonce));
    }
    waiting.settle(reply.error ? { ok: false, refusal: refusalOf(reply.error) } : ok(reply));
  }

  #takeHint(hint: Hint): void {
    const waiting = hint.re === undefined ? undefined : this.#waiting.get(hint.re);
    if (!waiting) return;
    const proofs = this.#sold.splice(0);
    const refused: Refused = isErrorCode(hint.code)
      ? refuse(hint.code, hint.detail, proofs.length > 0 ? { data: { proofs } } : {})
      : refuse('unknown-refusal', hint.code);
    // The boot or nonce may be what was wrong: the next request asks for a new hello.
    this.#hello = undefined;
    waiting.settle(refused);
  }

  #takeFrame(frame: Uint8Array): void | Promise<void> {
    const id = streamIdOf(frame);
    const name = id === undefined ? '' : streamNameOf(id);
    const following = this.#streams.get(name);
    if (!following) return;
    const opened = following.opener.open(frame);
    if ('fault' in opened) {
      this.#forget(name, following);
      following.asked.onEnd?.(refuse(streamFaults[opened.fault]));
      return;
    }
    if (opened.final) {
      this.#forget(name, following);
      const { end, done } = endOf(opened.plaintext);
      following.asked.onEnd?.(end, done);
      return;
    }
    const { plaintext } = opened;
    const { onFrame, onWriter } = following.asked;
    if (onWriter && plaintext[0] !== 0) return this.#takeAck(following, plaintext);
    const taking = onFrame?.(onWriter ? plaintext.subarray(1) : plaintext);
    const taken = (): void => {
      following.taken += 1;
      this.#acknowledge(name, following, plaintext.length);
    };
    return taking ? taking.then(taken) : taken();
  }

  #writerOf(name: string, following: Following): StreamWriter {
    const isOpen = (): boolean => this.#streams.get(name) === following;
    const waiting_bytes = (): number => following.out.reduce((sum, size) => sum + size, 0);
    return {
      write: async (bytes) => {
        for (let at = 0; at < bytes.length; at += limits.stream_frame_bytes_max / 2) {
          while (isOpen() && waiting_bytes() >= limits.stream_window_bytes / 2)
            await new Promise<void>((resolve) => (following.room = resolve));
          if (!isOpen()) return false;
          const piece = bytes.subarray(at, at + limits.stream_frame_bytes_max / 2);
          following.out.push(piece.length);
          await this.#channel.send(following.sealer.seal(Buffer.concat([Buffer.of(0), piece])));
        }
        return isOpen();
      },
      end: () => void this.#channel.send(following.sealer.seal(new Uint8Array(), true)),
    };
  }

  #takeAck(following: Following, plaintext: Uint8Array): void {
    const json = parseJson(plaintext);
    const said = json.ok ? ackForm(json.value, '') : json;
    // The node's own frames are under its seal: one that says nothing known is of a newer node.
    if (!said.ok) return;
    for (; following.outAcknowledged < said.value.ack; following.outAcknowledged += 1) following.out.shift();
    following.room();
  }

  /**
   * Says how much was taken in, so that the node sends more: at once when much has come, else a moment later. Signs of life are so small that they wait for
   * some more of them: the node's window would hold months of them.
   */
  #acknowledge(name: string, following: Following, bytes: number): void {
    following.unsaid += bytes;
    if (following.unsaid >= limits.stream_ack_bytes_max) return this.#sendAck(name, following);
    if (following.unsaid < limits.stream_ack_bytes_min) return;
    following.later ??= setTimeout(() => {
      following.later = undefined;
      this.#sendAck(name, following);
    }, limits.stream_ack_ms_max);
  }

  #sendAck(name: string, following: Following, ask?: string): void {
    if (this.#streams.get(name) !== following) return;
    if (ask === undefined && following.taken === following.acknowledged) return;
    following.acknowledged = following.taken;
    following.unsaid = 0;
    const said = Buffer.from(JSON.stringify({ ack: following.taken, ask }));
    void this.#channel.send(following.sealer.seal(said));
  }

  #forget(name: string, following: Following): void {
    clearTimeout(following.later);
    this.#streams.delete(name);
    following.room();
  }

  #end(reason: string): void {
    this.#closed = reason || 'closed';
    this.#settleHello(refuse('unreachable', this.#closed));
    for (const waiting of this.#waiting.values()) waiting.settle(refuse('unreachable', this.#closed));
    for (const [name, following] of this.#streams) {
      this.#forget(name, following);
      following.asked.onEnd?.(refuse('stream-cut'));
    }
  }
}

/** One for who handed the node on, one for who took it. */
const soldKept_max = 2;

const streamFaults = {
  gap: 'stream-gap',
  repeated: 'stream-repeated',
  tampered: 'stream-tampered',
  ended: 'stream-ended',
  malformed: 'stream-tampered',
} as const;
