import { createServer as createPlain } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { limits } from '../../protocol/limits.js';
import { messageOf } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { Hub } from './hub.js';

export interface GatewayListening {
  readonly port: number;
  close(): Promise<void>;
}

/** Where nodes and remote consoles dial in. Without TLS only behind something that has it, and in tests. */
export async function listenGateway(
  hub: Hub,
  options: {
    host: string;
    port: number;
    tls?: { cert: string; key: string };
    /** Where machines without a landlord wait, which come by the path /pairing. */
    pairing?: (socket: WebSocket, source: string) => void;
  },
): Promise<Result<GatewayListening>> {
  const server = options.tls ? createServer({ ...options.tls, minVersion: 'TLSv1.3' }) : createPlain();
  server.headersTimeout = limits.gateway_proof_ms_max;
  server.requestTimeout = limits.gateway_proof_ms_max;
  server.maxConnections = limits.gateway_connections_max;
  server.on('request', (_request, response) => response.writeHead(426, { upgrade: 'websocket' }).end());
  const sockets = new WebSocketServer({
    server,
    maxPayload: limits.gateway_frame_bytes_max,
    perMessageDeflate: false,
  });
  sockets.on('connection', (socket, request) => {
    const source = request.socket.remoteAddress ?? '';
    if (request.url === '/pairing' && options.pairing) options.pairing(socket, source);
    else hub.accept(socket, source);
  });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(options.port, options.host, resolve);
    });
  } catch (error) {
    return refuse('cannot-listen', `the gateway: ${messageOf(error)}`);
  }
  return ok({
    port: (server.address() as AddressInfo).port,
    async close() {
      hub.close();
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  });
}
