import { WebSocket } from 'ws';
import type { Message, MessageChannel } from '../../protocol/channel.js';
import { bytesOf } from '../../protocol/socket.js';
import { openReply, type Reply } from '../../protocol/reply.js';
import type { SealedRequest } from '../../protocol/request.js';
import { formatEnvelope, parseWire, type Hello, type Hint } from '../../protocol/wire.js';
import { until } from '../fakes/until.js';
import { value } from '../fakes/results.js';
import type { NodeProcess } from './node-process.js';

let addresses = 0;

/** A connection that says whatever it is told to, and keeps what it hears. */
export abstract class RawTalk {
  readonly texts: string[] = [];
  readonly frames: Buffer[] = [];
  closed = false;

  abstract say(message: Message): void;
  abstract close(): void;

  protected heard(message: Message): void {
    if (typeof message === 'string') this.texts.push(message);
    else this.frames.push(Buffer.from(message));
  }

  async hello(): Promise<Hello> {
    const before = this.texts.length;
    this.say('H1');
    await until(() => this.texts.slice(before).some((text) => text.startsWith('H1 ')) || this.closed);
    const wire = value(parseWire(this.texts.slice(before).find((text) => text.startsWith('H1 ')) ?? ''));
    if (wire.kind !== 'hello') throw new Error('not a hello');
    return wire.hello;
  }

  /** The next hint after what was there before. */
  async hintAfter(act: () => void, re?: string): Promise<Hint> {
    const before = this.texts.length;
    act();
    for (;;) {
      await until(() => this.texts.length > before || this.closed);
      for (const text of this.texts.slice(before)) {
        const wire = parseWire(text);
        if (wire.ok && wire.value.kind === 'hint' && (re === undefined || wire.value.hint.re === re))
          return wire.value.hint;
      }
      if (this.closed) throw new Error('closed without a hint');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  send(request: SealedRequest): void {
    this.say(formatEnvelope('R1', request.text));
  }

  /** Sends a request and gives the code of its refusal, sealed or not; `done` when it was carried out. */
  async outcome(request: SealedRequest): Promise<string> {
    const answer = await this.answer(request);
    return 'hint' in answer ? answer.hint.code : (answer.reply.error?.code ?? 'done');
  }

  async answer(request: SealedRequest): Promise<{ readonly hint: Hint } | { readonly reply: Reply }> {
    const from = this.texts.length;
    this.send(request);
    for (let at = from; ; at += 1) {
      await until(() => this.texts.length > at || this.closed);
      const text = this.texts[at];
      if (text === undefined) throw new Error('closed without an answer');
      const wire = parseWire(text);
      if (!wire.ok) continue;
      if (wire.value.kind === 'hint' && (wire.value.hint.re ?? request.digest) === request.digest)
        return { hint: wire.value.hint };
      if (wire.value.kind !== 'reply') continue;
      const opened = await openReply(request.secret, request.digest, wire.value.envelope);
      if (opened.ok) return { reply: opened.value };
    }
  }
}

/** Straight to the node, from an address of loopback of its own: each is a source of its own to the node. */
export class RawSocket extends RawTalk {
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    super();
    this.#socket = socket;
    socket.on('message', (data, isBinary) =>
      this.heard(isBinary ? bytesOf(data) : bytesOf(data).toString('utf8')),
    );
    socket.on('error', () => {});
    socket.on('close', () => (this.closed = true));
  }

  static newAddress(): string {
    addresses += 1;
    return `127.${1 + ((process.pid >> 8) % 200)}.${process.pid & 255}.${addresses}`;
  }

  static async open(node: NodeProcess, localAddress: string = RawSocket.newAddress()): Promise<RawSocket> {
    const socket = new WebSocket(node.url, {
      rejectUnauthorized: false,
      perMessageDeflate: false,
      localAddress,
    });
    const raw = new RawSocket(socket);
    await until(() => socket.readyState === WebSocket.OPEN || raw.closed);
    return raw;
  }

  say(message: Message): void {
    this.#socket.send(message, { binary: typeof message !== 'string' });
  }

  ping(): void {
    this.#socket.ping('are you there');
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#socket.terminate();
  }
}

/** Over whatever carries messages, such as a gateway. */
export class RawChannel extends RawTalk {
  readonly #channel: MessageChannel;

  constructor(channel: MessageChannel) {
    super();
    this.#channel = channel;
    channel.onMessage((message) => this.heard(message));
    channel.onClose(() => (this.closed = true));
  }

  say(message: Message): void {
    void this.#channel.send(message);
  }

  close(): void {
    this.#channel.close('done');
  }
}
