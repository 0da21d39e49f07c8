import type { MessageChannel } from '../channel.js';
import { isErrorCode } from '../errors/index.js';
import { limits } from '../limits.js';
import { ok, refuse, type Refusal, type Result } from '../result.js';
import { formatPairing, parsePairing, type PairingBody, type PairingKind } from './messages.js';

interface Received {
  readonly type: PairingKind;
  readonly body: unknown;
}

/**
 * One side of a pairing: messages one by one, in the order that the pairing has.
 *
 * INVARIANT: what is not the message that is due ends the pairing; a message that comes before it is due waits, one at most.
 */
export class PairingTalk {
  #waiting: Received | undefined;
  #due: ((result: Result<Received>) => void) | undefined;
  #ended: Refusal | undefined;
  /** Called once, when the pairing is over for whatever reason. */
  onEnd: ((why: Refusal) => void) | undefined;

  constructor(private readonly channel: MessageChannel) {
    channel.onMessage((message) => {
      if (typeof message !== 'string' || message.length > limits.pairing_message_chars_max)
        return this.refuse({ code: 'pairing-broken', detail: 'no message of a pairing' });
      const parsed = parsePairing(message);
      if (!parsed.ok) return this.refuse({ code: 'pairing-broken', detail: parsed.refusal.detail ?? '' });
      this.#take(parsed.value);
    });
    channel.onClose((why) => this.#end({ code: 'pairing-ended', detail: why }));
  }

  send<K extends PairingKind>(type: K, body: PairingBody<K>): void {
    void this.channel.send(formatPairing(type, body));
  }

  /** The next message, which has to be of this kind. */
  async next<K extends PairingKind>(type: K): Promise<Result<PairingBody<K>>> {
    if (this.#due) throw new Error('one message is awaited at a time');
    const waiting = this.#waiting;
    this.#waiting = undefined;
    const message = waiting
      ? ok(waiting)
      : this.#ended
        ? refuse(this.#ended.code, this.#ended.detail)
        : await new Promise<Result<Received>>((resolve) => (this.#due = resolve));
    if (!message.ok) return message;
    if (message.value.type === type) return ok(message.value.body as PairingBody<K>);
    const why = { code: 'pairing-broken', detail: `${message.value.type} in the place of ${type}` } as const;
    this.refuse(why);
    return refuse(why.code, why.detail);
  }

  /** Tells the other side why, and ends. */
  refuse({ code, detail }: Refusal): void {
    if (this.#ended) return;
    this.send('refused', { code, ...(detail === undefined ? {} : { detail: detail.slice(0, 500) }) });
    this.#end({ code, ...(detail === undefined ? {} : { detail }) });
    this.channel.close(code);
  }

  close(): void {
    this.channel.close('done');
  }

  #take(message: Received): void {
    if (message.type === 'refused') {
      const { code, detail = '' } = message.body as PairingBody<'refused'>;
      this.#end(
        isErrorCode(code) ? { code, detail } : { code: 'pairing-ended', detail: `${code} ${detail}` },
      );
      return this.channel.close('refused');
    }
    const due = this.#due;
    if (due) {
      this.#due = undefined;
      due(ok(message));
    } else if (this.#waiting) this.refuse({ code: 'pairing-broken', detail: 'messages out of turn' });
    else this.#waiting = message;
  }

  #end(why: Refusal): void {
    if (this.#ended) return;
    this.#ended = why;
    const due = this.#due;
    this.#due = undefined;
    due?.(refuse(why.code, why.detail));
    this.onEnd?.(why);
  }
}
