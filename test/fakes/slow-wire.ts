import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A wire between two TCP ends that holds every byte for a while, in both directions and in order. */
export class SlowWire {
  /** Each way. */
  delay_ms = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(port: number) {
    this.#server = createServer((near) => {
      const far = connect(port, '127.0.0.1');
      this.#join(near, far);
      this.#join(far, near);
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    let last_ms = 0;
    from.on('data', (bytes) => {
      // A wire that becomes faster must not let later bytes overtake earlier ones.
      last_ms = Math.max(performance.now() + this.delay_ms, last_ms);
      setTimeout(() => to.write(bytes), last_ms - performance.now());
    });
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}
