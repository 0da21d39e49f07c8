import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { limits } from '../../protocol/limits.js';

interface Entry {
  readonly socket: WebSocket;
  readonly source: string;
  held: number;
}

/**
 * Bounds what messages that have not come in whole may hold in memory. Each of many connections could stop just before the end of the
 * largest message; without a bound on all of them together, a few hundred strangers would fill the machine.
 */
export class Intake {
  readonly #entries = new Map<WebSocket, Entry>();
  readonly #perSource = new Map<string, number>();
  #all = 0;

  watch(socket: WebSocket, wire: Socket, source: string): void {
    const entry: Entry = { socket, source, held: 0 };
    this.#entries.set(socket, entry);
    wire.on('data', (chunk: Buffer) => {
      if (this.#entries.has(socket)) this.#add(entry, chunk.length);
    });
    socket.on('message', () => this.#add(entry, -entry.held));
    socket.once('close', () => {
      this.#add(entry, -entry.held);
      this.#entries.delete(socket);
    });
  }

  #add(entry: Entry, bytes: number): void {
    entry.held += bytes;
    this.#all += bytes;
    const mine = (this.#perSource.get(entry.source) ?? 0) + bytes;
    if (mine > 0) this.#perSource.set(entry.source, mine);
    else this.#perSource.delete(entry.source);
    if (mine > limits.source_held_bytes_max) entry.socket.terminate();
    else if (this.#all > limits.held_bytes_max) this.#largest()?.socket.terminate();
  }

  /** The connection that holds most, of the source that holds most: an honest console among strangers is not the one. */
  #largest(): Entry | undefined {
    const [source] = [...this.#perSource].sort(([, a], [, b]) => b - a)[0] ?? [];
    return [...this.#entries.values()]
      .filter((entry) => entry.source === source)
      .sort((a, b) => b.held - a.held)[0];
  }
}
