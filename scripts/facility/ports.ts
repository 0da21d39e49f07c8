import { connect, createServer, type Server } from 'node:net';

/**
 * One door to a page: a port on this machine's loopback, carried to a Unix socket where a relay takes over. The page has
 * the same port inside its place, so that the links it makes lead through the door.
 */
export interface Door {
  readonly name: string;
  readonly port: number;
  readonly socket: string;
  close(): void;
}

/** Opens the wanted port, or another one if somebody has it. */
export async function openDoor(name: string, wanted: number, socket: string): Promise<Door> {
  const server = createServer((client) => {
    const inside = connect(socket);
    client.pipe(inside).pipe(client);
    client.on('error', () => inside.destroy());
    inside.on('error', () => client.destroy());
  });
  const port = await listen(server, wanted).catch(async () => listen(server, 0));
  return { name, port, socket, close: () => server.close() };
}

async function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.removeListener('error', reject);
      const address = server.address();
      if (address === null || typeof address === 'string') reject(new Error('no port'));
      else resolve(address.port);
    });
  });
}
