export type Message = string | Uint8Array;

export interface ConnectionEnds {
  readonly address: string;
  readonly port: number;
}

/**
 * A way for whole messages between one console and one node, whatever carries it: a WebSocket of its own, or a channel
 * through a gateway. Nothing above this interface can tell which.
 *
 * INVARIANTS:
 * - Messages arrive whole and in order, or the channel closes.
 * - `send` resolves when there is room for more, so that who waits for it never fills anybody's memory. It answers false
 *   once the channel is closed; it never rejects.
 * - The next message is handed over only when the handler's promise for the one before has settled.
 * - `onClose` is called exactly once.
 */
export interface MessageChannel {
  /** Whom to count against in limits: an address, or what the gateway calls the console. Proves nothing. */
  readonly source: string;
  /** Of a connection that this side dialled directly: its own address, and the port at the other end. */
  readonly ends?: ConnectionEnds;
  send(message: Message): Promise<boolean>;
  onMessage(handler: (message: Message) => void | Promise<void>): void;
  onClose(handler: (reason: string) => void): void;
  close(reason: string): void;
}
