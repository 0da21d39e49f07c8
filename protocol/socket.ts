import type { IncomingMessage } from 'node:http';
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, TLSSocket, type SecureContext } from 'node:tls';
import { WebSocket, type RawData } from 'ws';
import type { ConnectionEnds, Message, MessageChannel } from './channel.js';
import { limits } from './limits.js';
import { messageOf } from './log.js';
import { ShownCertificates } from './pin.js';
import { ok, refuse, type Result } from './result.js';

export interface Dial {
  readonly url: string;
  /** SHA-256 of the public key in the server's certificate. */
  readonly pin?: string;
  /** Whoever stands there is proved by what is said over the connection, not by TLS: a pairing. */
  readonly provedLater?: true;
  readonly protocol?: string;
  readonly timeout_ms: number;
  readonly payload_bytes_max?: number;
}

/**
 * Opens a WebSocket, or says why not. Nothing of ours is sent before the pin was compared. What TLS and the WebSocket need is made only
 * once somebody has answered: a node whose gateways are away dials for days, and leaves tens of kilobytes outside the heap each time.
 */
export async function dial(options: Dial): Promise<Result<WebSocket>> {
  const started_ms = performance.now();
  const url = new URL(options.url);
  const wire = await reach(url, options.timeout_ms);
  if (!wire.ok) return refuse('unreachable', `${options.url}: ${wire.refusal.detail ?? ''}`);
  const { localAddress, remotePort } = wire.value;
  const dialled = await upgrade(
    options,
    url,
    wire.value,
    Math.max(1, options.timeout_ms - (performance.now() - started_ms)),
  );
  if (dialled.ok && localAddress !== undefined && remotePort !== undefined)
    ends.set(dialled.value, { address: localAddress, port: remotePort });
  return dialled;
}

/** Somebody who answers at the address of a URL. */
function reach(url: URL, timeout_ms: number): Promise<Result<Socket>> {
  const port = url.port === '' ? (url.protocol === 'wss:' ? 443 : 80) : Number(url.port);
  return new Promise((resolve) => {
    const wire = connectPlain({ host: hostOf(url), port, noDelay: true });
    const fail = (why: string): void => {
      wire.destroy();
      resolve(refuse('unreachable', why));
    };
    const guard = setTimeout(() => fail(`no answer within ${timeout_ms} ms`), timeout_ms);
    const failed = (error: Error): void => {
      clearTimeout(guard);
      fail(messageOf(error));
    };
    wire.once('error', failed);
    wire.once('connect', () => {
      clearTimeout(guard);
      wire.off('error', failed);
      resolve(ok(wire));
    });
  });
}

/** An IPv6 address stands in brackets in a URL, and nowhere else. */
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1');
}

let ordinaryContext: SecureContext | undefined;

function secured(wire: Socket, url: URL, rejectUnauthorized: boolean): TLSSocket {
  const host = hostOf(url);
  return connectTls({
    socket: wire,
    host,
    // A name is told to the other side; an address is none.
    servername: isIP(host) === 0 ? host : '',
    rejectUnauthorized,
    secureContext: (ordinaryContext ??= createSecureContext()),
  });
}

function upgrade(options: Dial, url: URL, wire: Socket, timeout_ms: number): Promise<Result<WebSocket>> {
  const unpinned = options.pin === undefined && options.provedLater !== true;
  return new Promise((resolve) => {
    const socket = new WebSocket(options.url, options.protocol === undefined ? [] : [options.protocol], {
      createConnection: () => (url.protocol === 'wss:' ? secured(wire, url, unpinned) : wire),
      handshakeTimeout: timeout_ms,
      maxPayload: options.payload_bytes_max ?? limits.frame_bytes_max,
      perMessageDeflate: false,
      autoPong: false,
      followRedirects: false,
      // With a pin, the key itself is compared below; without one, the authorities of this machine decide.
      rejectUnauthorized: unpinned,
    });
    const fail = (detail: string, code: 'unreachable' | 'wrong-pin' = 'unreachable'): void => {
      socket.removeAllListeners();
      socket.on('error', () => {});
      socket.terminate();
      resolve(refuse(code, detail));
    };
    socket.once('error', (error) => fail(`${options.url}: ${messageOf(error)}`));
    socket.once('upgrade', (response: IncomingMessage) => {
      const found = options.pin === undefined ? undefined : pinOf(response.socket);
      if (found !== options.pin) fail(`${options.url} showed ${found ?? 'no certificate'}`, 'wrong-pin');
    });
    socket.once('open', () => {
      socket.removeAllListeners();
      // What comes before somebody listens would be lost; who takes the socket over resumes it.
      socket.pause();
      resolve(ok(socket));
    });
  });
}

function pinOf(socket: unknown): string | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const shown = socket.getPeerX509Certificate();
  return shown && certificates.pinOf(shown);
}

const certificates = new ShownCertificates();

export function bytesOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}

/** Of sockets that were dialled. */
const ends = new WeakMap<WebSocket, ConnectionEnds>();

function isFull(socket: WebSocket): boolean {
  return socket.bufferedAmount > limits.socket_buffer_bytes_max;
}

/** For whoever takes a socket over: the library would queue an answer to every ping, also for a peer that never reads. */
export function answerPings(socket: WebSocket): void {
  socket.on('ping', (data) => {
    if (!isFull(socket) && socket.readyState === WebSocket.OPEN) socket.pong(data);
  });
}

/** A WebSocket as a message channel. */
export function socketChannel(socket: WebSocket, source: string): MessageChannel {
  let handler: ((message: Message) => void | Promise<void>) | undefined;
  let reason = '';
  const waiting: Message[] = [];
  const room: (() => void)[] = [];
  let busy = false;
  let onClosed: ((reason: string) => void) | undefined;
  let closed = false;
  let closing = false;

  /** Without a promise where the handler needs none: thousands of nodes say in a second that they live. */
  const deliver = (): void => {
    if (busy || handler === undefined) return;
    busy = true;
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const taking = closing ? undefined : handler(next);
      if (taking === undefined) continue;
      void taking.then(() => {
        busy = false;
        deliver();
      });
      return;
    }
    busy = false;
    if (socket.isPaused) socket.resume();
  };
  socket.on('message', (data, isBinary) => {
    waiting.push(isBinary ? bytesOf(data) : bytesOf(data).toString('utf8'));
    if (busy || handler === undefined) socket.pause();
    else deliver();
  });
  answerPings(socket);
  socket.on('error', (error) => (reason ||= messageOf(error)));
  socket.on('close', (code, text) => {
    closed = true;
    for (const wake of room.splice(0)) wake();
    onClosed?.((reason ||= text.toString() || `closed with ${code}`));
  });
  const full = (): boolean => isFull(socket);
  const known = ends.get(socket);
  return {
    source,
    ...(known ? { ends: known } : {}),
    async send(message) {
      if (closed || socket.readyState !== WebSocket.OPEN) return false;
      socket.send(message, { binary: typeof message !== 'string' }, () => {
        if (!full()) for (const wake of room.splice(0)) wake();
      });
      if (full()) await new Promise<void>((resolve) => room.push(resolve));
      return !closed;
    },
    onMessage(next) {
      handler = next;
      deliver();
    },
    onClose(next) {
      onClosed = next;
      if (closed) next(reason);
    },
    close(why) {
      closing = true;
      reason ||= why;
      socket.close(1000, why.slice(0, 100));
      // A peer that does not answer the closing handshake must not keep the socket.
      setTimeout(() => socket.terminate(), limits.socket_closing_ms_max).unref();
    },
  };
}
