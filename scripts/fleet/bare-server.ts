// A WebSocket server that only counts the frames that come in: what a console is compared with. Prints its port, and counts until it is killed.
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { selfSignedPem } from '../../crypto/certificate.js';
import { makePair } from '../../crypto/rsa.js';

const tls = await makePair(2048);
const key = tls.private.export({ type: 'pkcs8', format: 'pem' }).toString();
const server = createServer({ key, cert: selfSignedPem(tls, 'bare', []), minVersion: 'TLSv1.3' });
let frames = 0;
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on('connection', (socket) => socket.on('message', () => (frames += 1)));
process.on('message', () => process.send?.(frames));
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () =>
  process.send?.((server.address() as AddressInfo).port),
);
process.once('disconnect', () => process.exit(0));
