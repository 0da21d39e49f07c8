import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { bytesOf } from '../../protocol/socket.js';

export type Towards = 'node' | 'gateway';

/** Stands between a node and its gateway, as a gateway that is itself the enemy would: sees every frame, may alter, drop and repeat. */
export class EvilRelay {
  readonly seen: { readonly towards: Towards; readonly bytes: Buffer }[] = [];
  /** What is passed on in place of a frame. */
  meddle: (towards: Towards, bytes: Buffer) => readonly Buffer[] = (_, bytes) => [bytes];
  readonly #server: Server = createServer();
  readonly #upstream: string;
  #toNode: WebSocket | undefined;
  #toGateway: WebSocket | undefined;

  constructor(upstream: string) {
    this.#upstream = upstream;
  }

  async listen(): Promise<string> {
    const sockets = new WebSocketServer({ server: this.#server });
    sockets.on('connection', (down) => this.#join(down));
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #join(down: WebSocket): void {
    const up = new WebSocket(this.#upstream);
    this.#toNode = down;
    this.#toGateway = up;
    const waiting: Buffer[] = [];
    down.on('message', (data) => {
      const bytes = bytesOf(data);
      if (up.readyState === WebSocket.OPEN) this.#pass('gateway', bytes);
      else waiting.push(bytes);
    });
    up.on('open', () => {
      for (const bytes of waiting.splice(0)) this.#pass('gateway', bytes);
    });
    up.on('ping', () => down.ping());
    up.on('message', (data) => this.#pass('node', bytesOf(data)));
    for (const [one, other] of [
      [down, up],
      [up, down],
    ] as const) {
      one.on('close', () => other.terminate());
      one.on('error', () => other.terminate());
    }
  }

  #pass(towards: Towards, bytes: Buffer): void {
    this.seen.push({ towards, bytes: Buffer.from(bytes) });
    for (const one of this.meddle(towards, bytes)) this.inject(towards, one);
  }

  inject(towards: Towards, bytes: Buffer): void {
    (towards === 'node' ? this.#toNode : this.#toGateway)?.send(bytes);
  }

  async close(): Promise<void> {
    this.#toNode?.terminate();
    this.#toGateway?.terminate();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
