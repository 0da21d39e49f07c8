import type { Message, MessageChannel } from '../channel.js';
import { limits } from '../limits.js';
import type { GatewayFrame } from './frames.js';

/** How a node calls whoever comes through a gateway, before what the gateway calls it. An address never begins so. */
export const gatewaySource = 'gateway ';

type Handler = (message: Message) => void | Promise<void>;

/**
 * One side of a channel through a gateway: messages are cut into pieces, and pieces are sent only as far as the other side
 * has granted credit.
 *
 * INVARIANTS:
 * - Credit for a piece is given back once the messages before it have been handled, so what waits here is never more than
 *   one window and one message.
 * - Messages are sent one after the other, in the order of `send`.
 */
export class GatewayChannel implements MessageChannel {
  readonly source: string;
  readonly #id: number;
  readonly #write: (frame: GatewayFrame) => void;
  readonly #pieces: { readonly last: boolean; readonly text: boolean; readonly bytes: Uint8Array }[] = [];
  #building: Uint8Array[] = [];
  #buildingBytes = 0;
  #credit: number = limits.gateway_window_bytes;
  #sending: Promise<unknown> = Promise.resolve();
  #wake: (() => void)[] = [];
  #handler: Handler | undefined;
  #taking = false;
  #onClose: ((reason: string) => void) | undefined;
  #closed: string | undefined;

  constructor(id: number, source: string, write: (frame: GatewayFrame) => void) {
    this.#id = id;
    this.source = source;
    this.#write = write;
  }

  async send(message: Message): Promise<boolean> {
    const turn = this.#sending.then(() => this.#sendNow(message));
    this.#sending = turn;
    return turn;
  }

  async #sendNow(message: Message): Promise<boolean> {
    const text = typeof message === 'string';
    const bytes = text ? Buffer.from(message) : message;
    for (let at = 0; ;) {
      while (this.#credit === 0 && this.#closed === undefined && at < bytes.length)
        await new Promise<void>((resolve) => this.#wake.push(resolve));
      if (this.#closed !== undefined) return false;
      const size = Math.min(limits.gateway_piece_bytes_max, this.#credit, bytes.length - at);
      const piece = bytes.subarray(at, at + size);
      at += size;
      this.#credit -= size;
      const last = at === bytes.length;
      this.#write({ kind: 'data', channel: this.#id, last, text, bytes: piece });
      if (last) return true;
    }
  }

  onMessage(handler: Handler): void {
    this.#handler = handler;
    void this.#takePieces();
  }

  onClose(handler: (reason: string) => void): void {
    this.#onClose = handler;
    if (this.#closed !== undefined) handler(this.#closed);
  }

  close(reason: string): void {
    if (this.#closed !== undefined) return;
    this.#write({ kind: 'close', channel: this.#id, body: { code: 'closed', detail: reason.slice(0, 200) } });
    this.ended(reason);
  }

  /** The other side granted more. */
  granted(bytes: number): void {
    this.#credit += bytes;
    if (this.#credit > limits.gateway_window_bytes) return this.close('more credit than there is');
    for (const wake of this.#wake.splice(0)) wake();
  }

  /** A piece came in. */
  arrived(last: boolean, text: boolean, bytes: Uint8Array): void {
    if (this.#closed !== undefined) return;
    this.#pieces.push({ last, text, bytes });
    void this.#takePieces();
  }

  /** The channel is over, by whoever's hand. */
  ended(reason: string): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    for (const wake of this.#wake.splice(0)) wake();
    this.#onClose?.(reason);
  }

  async #takePieces(): Promise<void> {
    if (this.#taking || this.#handler === undefined) return;
    this.#taking = true;
    for (let piece = this.#pieces.shift(); piece !== undefined; piece = this.#pieces.shift()) {
      this.#building.push(piece.bytes);
      this.#buildingBytes += piece.bytes.length;
      if (this.#buildingBytes > limits.frame_bytes_max) return this.close('a message beyond the limit');
      if (piece.bytes.length > 0 && this.#closed === undefined)
        this.#write({ kind: 'credit', channel: this.#id, bytes: piece.bytes.length });
      if (!piece.last) continue;
      const whole = Buffer.concat(this.#building);
      this.#building = [];
      this.#buildingBytes = 0;
      await this.#handler(piece.text ? whole.toString('utf8') : whole);
    }
    this.#taking = false;
  }
}
