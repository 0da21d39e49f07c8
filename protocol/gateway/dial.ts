import type { WebSocket } from 'ws';
import type { Signer } from '../../crypto/signer.js';
import type { MessageChannel } from '../channel.js';
import { isErrorCode } from '../errors/index.js';
import { limits } from '../limits.js';
import { ok, refuse, type Refused, type Result } from '../result.js';
import { answerPings, bytesOf, dial } from '../socket.js';
import { GatewayChannel, gatewaySource } from './channel.js';
import {
  formatGatewayFrame,
  parseGatewayFrame,
  type GatewayFrame,
  type GatewayRole,
  type Reason,
} from './frames.js';
import { makeProof } from './proof.js';

export interface GatewayDial {
  readonly url: string;
  readonly pin?: string;
  readonly role: GatewayRole;
  readonly signer: Signer;
  /** For a node: a console has opened a channel. */
  readonly onChannel?: (channel: MessageChannel) => void;
}

function refusedWith(reason: Reason): Refused {
  return isErrorCode(reason.code)
    ? refuse(reason.code, reason.detail)
    : refuse('unknown-refusal', `${reason.code} ${reason.detail ?? ''}`);
}

/** Dials a gateway and proves who dials. */
export async function dialGateway(options: GatewayDial): Promise<Result<GatewayConnection>> {
  const socket = await dial({
    url: options.url,
    ...(options.pin === undefined ? {} : { pin: options.pin }),
    timeout_ms: limits.dial_ms_max,
    payload_bytes_max: limits.gateway_frame_bytes_max,
  });
  if (!socket.ok) return socket;
  const connection = new GatewayConnection(socket.value, options);
  const entered = await connection.entered;
  return entered.ok ? ok(connection) : entered;
}

/**
 * The dialler's side of a connection to a gateway, with its channels.
 *
 * INVARIANTS:
 * - Channel numbers rise and are never used twice on one connection, so a late frame of a closed channel is known as one.
 * - When the connection ends, every channel ends, and `onClose` is called once.
 */
export class GatewayConnection {
  readonly entered: Promise<Result<true>>;
  readonly #socket: WebSocket;
  readonly #options: GatewayDial;
  readonly #channels = new Map<number, GatewayChannel>();
  readonly #opening = new Map<number, (result: Result<MessageChannel>) => void>();
  #settle: ((result: Result<true>) => void) | undefined;
  #last = 0;
  #onClose: ((reason: string) => void) | undefined;
  #closed: string | undefined;
  #silence: NodeJS.Timeout;

  constructor(socket: WebSocket, options: GatewayDial) {
    this.#socket = socket;
    this.#options = options;
    this.entered = new Promise((resolve) => (this.#settle = resolve));
    this.#silence = this.#hangUpLater(limits.gateway_proof_ms_max);
    socket.on('message', (data, isBinary) => {
      const frame = parseGatewayFrame(bytesOf(data));
      if (!isBinary || !frame.ok) this.close('the gateway broke the protocol');
      else this.#take(frame.value);
    });
    answerPings(socket);
    socket.on('ping', () => {
      clearTimeout(this.#silence);
      this.#silence = this.#hangUpLater(3 * limits.gateway_ping_ms);
    });
    socket.on('error', () => {});
    socket.on('close', () => this.#end('the connection to the gateway closed'));
    socket.resume();
  }

  #hangUpLater(after_ms: number): NodeJS.Timeout {
    return setTimeout(() => this.close('the gateway is silent'), after_ms).unref();
  }

  /** A console's way to a node. */
  async open(node: string): Promise<Result<MessageChannel>> {
    if (this.#closed !== undefined) return refuse('unreachable', this.#closed);
    const id = (this.#last += 1);
    const opened = new Promise<Result<MessageChannel>>((resolve) => this.#opening.set(id, resolve));
    this.#write({ kind: 'open', channel: id, body: { to: node } });
    return opened;
  }

  onClose(handler: (reason: string) => void): void {
    this.#onClose = handler;
    if (this.#closed !== undefined) handler(this.#closed);
  }

  get isOpen(): boolean {
    return this.#closed === undefined;
  }

  close(reason: string): void {
    this.#socket.close(1000, reason.slice(0, 100));
    setTimeout(() => this.#socket.terminate(), limits.socket_closing_ms_max).unref();
    this.#end(reason);
  }

  #write(frame: GatewayFrame): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(formatGatewayFrame(frame));
  }

  #take(frame: GatewayFrame): void {
    switch (frame.kind) {
      case 'challenge':
        return void this.#prove(frame.body.nonce);
      case 'welcome':
        clearTimeout(this.#silence);
        this.#silence = this.#hangUpLater(3 * limits.gateway_ping_ms);
        return this.#enter(ok(true));
      case 'refused':
        return this.#enter(refusedWith(frame.body));
      case 'open':
        return this.#accept(frame.channel, frame.body.from ?? 'unknown');
      case 'opened':
        return this.#opened(frame.channel);
      case 'close':
        return this.#closedBy(frame.channel, frame.body);
      case 'data':
        return this.#channels.get(frame.channel)?.arrived(frame.last, frame.text, frame.bytes);
      case 'credit':
        return this.#channels.get(frame.channel)?.granted(frame.bytes);
      case 'proof':
        return this.close('the gateway broke the protocol');
    }
  }

  async #prove(nonce: string): Promise<void> {
    const { signer, role, pin } = this.#options;
    try {
      this.#write({ kind: 'proof', body: await makeProof(signer, role, nonce, pin) });
    } catch {
      // What signs may be a chip that does not answer just now: the next attempt dials anew.
      this.close('could not sign');
    }
  }

  #enter(result: Result<true>): void {
    this.#settle?.(result);
    this.#settle = undefined;
    if (!result.ok) this.close('refused');
  }

  /** Only a node is sent channels; a console that is sent one has to do with a broken gateway. */
  #accept(id: number, from: string): void {
    const { onChannel } = this.#options;
    if (!onChannel || id <= this.#last || this.#channels.size >= limits.gateway_channels_per_node_max) {
      this.#write({ kind: 'close', channel: id, body: { code: 'too-many' } });
      return;
    }
    this.#last = id;
    const channel = this.#newChannel(id, `${gatewaySource}${from}`);
    this.#write({ kind: 'opened', channel: id });
    onChannel(channel);
  }

  #newChannel(id: number, source: string): GatewayChannel {
    const channel = new GatewayChannel(id, source, (frame) => {
      this.#write(frame);
      if (frame.kind === 'close') this.#channels.delete(id);
    });
    this.#channels.set(id, channel);
    return channel;
  }

  #opened(id: number): void {
    const resolve = this.#opening.get(id);
    this.#opening.delete(id);
    resolve?.(ok(this.#newChannel(id, this.#options.url)));
  }

  #closedBy(id: number, reason: Reason): void {
    const waiting = this.#opening.get(id);
    this.#opening.delete(id);
    waiting?.(refusedWith(reason));
    const channel = this.#channels.get(id);
    this.#channels.delete(id);
    channel?.ended(reason.detail ?? reason.code);
  }

  #end(reason: string): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    clearTimeout(this.#silence);
    this.#enter(refuse('unreachable', reason));
    for (const resolve of this.#opening.values()) resolve(refuse('unreachable', reason));
    this.#opening.clear();
    for (const channel of this.#channels.values()) channel.ended(reason);
    this.#channels.clear();
    this.#onClose?.(reason);
  }
}
