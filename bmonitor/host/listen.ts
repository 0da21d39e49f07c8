import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import { WebSocketServer } from 'ws';
import { selfSignedPem } from '../../crypto/certificate.js';
import type { Pair } from '../../crypto/rsa.js';
import type { MessageChannel } from '../../protocol/channel.js';
import { limits } from '../../protocol/limits.js';
import type { Log } from '../../protocol/log.js';
import { messageOf } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { socketChannel } from '../../protocol/socket.js';
import { Intake } from './intake.js';

export interface Listening {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: Pair;
  readonly name: string;
  /** Asked before the TLS handshake, which costs a private operation too. */
  readonly admits: (source: string) => boolean;
  readonly serve: (channel: MessageChannel) => void;
  readonly log: Log;
}

/** WebSockets over TLS. The certificate proves nothing by itself: consoles pin its key, and every message is sealed anyway. */
export async function listen(options: ListenOptions): Promise<Result<Listening>> {
  const server = createServer({
    key: options.tls.private.export({ type: 'pkcs8', format: 'pem' }),
    cert: selfSignedPem(options.tls, options.name, [options.host]),
    minVersion: 'TLSv1.3',
    handshakeTimeout: limits.handshake_ms_max,
  });
  server.headersTimeout = limits.handshake_ms_max;
  server.requestTimeout = limits.handshake_ms_max;
  const perSource = new Map<string, number>();
  let connections = 0;
  server.on('connection', (socket: Socket) => {
    const source = sourceOf(socket.remoteAddress);
    const mine = perSource.get(source) ?? 0;
    if (
      mine >= limits.connections_per_source_max ||
      connections >= limits.connections_max ||
      !options.admits(source)
    ) {
      socket.destroy();
      return;
    }
    connections += 1;
    perSource.set(source, mine + 1);
    socket.once('close', () => {
      connections -= 1;
      const left = (perSource.get(source) ?? 1) - 1;
      if (left > 0) perSource.set(source, left);
      else perSource.delete(source);
    });
  });
  server.on('request', (_request, response) => response.writeHead(426, { upgrade: 'websocket' }).end());
  const sockets = new WebSocketServer({
    server,
    maxPayload: limits.frame_bytes_max,
    perMessageDeflate: false,
    autoPong: false,
    clientTracking: true,
  });
  const intake = new Intake();
  sockets.on('connection', (socket, request) => {
    const source = sourceOf(request.socket.remoteAddress);
    // A console whose machine vanished would otherwise hold its place for hours.
    request.socket.setKeepAlive(true, limits.connection_keep_alive_ms);
    intake.watch(socket, request.socket, source);
    options.serve(socketChannel(socket, source));
  });
  sockets.on('error', (error) => options.log.error('listen.fault', { why: messageOf(error) }));
  const bound = await bind(server, options.host, options.port);
  if (!bound.ok) return bound;
  return ok({
    host: options.host,
    port: bound.value,
    async close() {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  });
}

/** One network of IPv6 is one source: its holder has all of its addresses. */
export function sourceOf(address: string | undefined): string {
  if (address === undefined) return 'unknown';
  if (address.startsWith('::ffff:')) return address.slice(7);
  return address.includes(':') ? `${expand(address).slice(0, 4).join(':')}::/64` : address;
}

function expand(address: string): readonly string[] {
  const [head = '', tail] = address.split('%', 1)[0]?.split('::') ?? [];
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - front.length - back.length;
  return [...front, ...Array.from({ length: Math.max(0, zeros) }, () => '0'), ...back];
}

function bind(server: Server, host: string, port: number): Promise<Result<number>> {
  return new Promise((resolve) => {
    server.once('error', (error) =>
      resolve(refuse('cannot-listen', `${host} port ${port}: ${messageOf(error)}`)),
    );
    server.listen(port, host, () => {
      const address = server.address();
      resolve(ok(typeof address === 'object' && address ? address.port : port));
    });
  });
}
