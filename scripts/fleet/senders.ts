import { randomBytes } from 'node:crypto';
import type { WebSocket } from 'ws';
import { streamFrameOverheadBytes } from '../../crypto/stream.js';
import { dial } from '../../protocol/socket.js';
import { must } from './console.js';

/** As long as the frame of a heartbeat of a node. */
const frame = randomBytes(streamFrameOverheadBytes + '{"alive":0}'.length);
const openingAtOnce = 64;
const slice_ms = 20;

/** Connections that send a frame in the rhythm of heartbeats, to a server that is compared with a console. */
export class Senders {
  readonly #sockets: readonly WebSocket[];
  #timer: NodeJS.Timeout | undefined;

  private constructor(sockets: readonly WebSocket[], heartbeat_ms: number) {
    this.#sockets = sockets;
    const slices = Math.max(1, Math.round(heartbeat_ms / slice_ms));
    let at = 0;
    this.#timer = setInterval(() => {
      at = (at + 1) % slices;
      for (let index = at; index < sockets.length; index += slices) sockets[index]?.send(frame);
    }, slice_ms);
  }

  static async open(options: {
    readonly url: string;
    readonly connections: number;
    readonly heartbeat_ms: number;
  }): Promise<Senders> {
    const sockets: WebSocket[] = [];
    let begun = 0;
    const worker = async (): Promise<void> => {
      while (begun++ < options.connections) {
        const socket = must(await dial({ url: options.url, provedLater: true, timeout_ms: 20_000 }));
        socket.on('error', () => {});
        socket.resume();
        sockets.push(socket);
      }
    };
    await Promise.all(Array.from({ length: openingAtOnce }, worker));
    return new Senders(sockets, options.heartbeat_ms);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const socket of this.#sockets) socket.terminate();
  }
}
