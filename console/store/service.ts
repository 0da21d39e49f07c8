import { timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { limits } from '../../protocol/limits.js';
import { messageOf, type Log } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { bytesOf } from '../../protocol/socket.js';
import { tokenDigest } from '../api/access.js';
import type { KeyStore, Page } from './port.js';
import { changesOut, frameOf, opsOf, readHello, readQuestion, type Question } from './wire.js';

export interface StoreServiceOptions {
  readonly store: KeyStore;
  readonly host: string;
  readonly port: number;
  readonly tls: { readonly cert: string; readonly key: string };
  /** Digest of the token without which nobody is heard. */
  readonly token: string;
  readonly log: Log;
}

export interface StoreService {
  readonly port: number;
  close(): Promise<void>;
}

/** Lets several consoles use one store. It knows keys and values, not what they mean. */
export async function serveStore(options: StoreServiceOptions): Promise<Result<StoreService>> {
  const { host, port, tls, log } = options;
  const server = createServer({ ...tls, minVersion: 'TLSv1.3' });
  server.maxConnections = limits.store_connections_max;
  server.headersTimeout = limits.dial_ms_max;
  server.on('request', (_request, response) => response.writeHead(426, { upgrade: 'websocket' }).end());
  const sockets = new WebSocketServer({
    server,
    maxPayload: limits.store_frame_bytes_max,
    perMessageDeflate: false,
  });
  sockets.on('connection', (socket, request) => admit(socket, request.socket.remoteAddress ?? '', options));
  // A console whose machine lost its power says nothing any more; its connection must not stay for hours.
  const heart = setInterval(() => {
    for (const socket of sockets.clients) socket.ping();
  }, limits.turn_renew_ms);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, resolve);
    });
  } catch (error) {
    clearInterval(heart);
    return refuse('cannot-listen', `the store service: ${messageOf(error)}`);
  }
  const at = (server.address() as AddressInfo).port;
  log.info('store.serving', { host, port: at });
  return ok({
    port: at,
    async close() {
      clearInterval(heart);
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await options.store.close();
    },
  });
}

function admit(socket: WebSocket, source: string, { store, token, log }: StoreServiceOptions): void {
  socket.on('error', () => {});
  const guard = setTimeout(() => socket.terminate(), limits.dial_ms_max);
  socket.once('close', () => clearTimeout(guard));
  socket.once('message', (data) => {
    clearTimeout(guard);
    const hello = readHello(bytesOf(data).toString());
    const shown = Buffer.from(tokenDigest(hello.ok ? hello.value.token : ''));
    if (!hello.ok || !timingSafeEqual(shown, Buffer.from(token))) {
      log.warn('store.stranger', { source });
      return socket.terminate();
    }
    log.info('store.console', { source });
    socket.send(frameOf({ v: 1 }));
    attend(socket, store, log.with({ source }));
  });
}

/** One console: its questions, and its watches, which end with the connection. */
function attend(socket: WebSocket, store: KeyStore, log: Log): void {
  const watches = new Map<number, () => void>();
  let open = 0;
  socket.once('close', () => {
    for (const end of watches.values()) end();
    log.info('store.console-left', {});
  });
  const say = (message: Readonly<Record<string, unknown>>): void => {
    if (socket.readyState === socket.OPEN) socket.send(frameOf(message));
  };
  const answer = async ({ id, get, range, write, watch, unwatch }: Question): Promise<object> => {
    if (get !== undefined) return { entry: await store.get(get) };
    if (range) return { page: fitting(await store.range(range)) };
    if (write) {
      const ops = opsOf(write.ops);
      const written = ops.ok ? await store.write(ops.value, write.conditions) : ops;
      return written.ok ? { revision: written.value } : { refused: refusedIn(written.refusal) };
    }
    if (watch) {
      const begun = await store.watch(watch.prefix, watch.after, {
        changes: (changes) => say({ watch: id, changes: changesOut(changes) }),
        lost: () => say({ watch: id, lost: true }),
      });
      if (begun.ok) watches.set(id, begun.value);
      return begun.ok ? {} : { refused: refusedIn(begun.refusal) };
    }
    if (unwatch !== undefined) {
      watches.get(unwatch)?.();
      watches.delete(unwatch);
    }
    return {};
  };
  socket.on('message', (data) => {
    const question = readQuestion(bytesOf(data).toString());
    if (!question.ok || open >= limits.store_calls_open_max) {
      log.warn('store.rubbish', { detail: question.ok ? 'too many' : (question.refusal.detail ?? '') });
      return socket.terminate();
    }
    open++;
    void answer(question.value)
      .catch((error: unknown) => ({ refused: { code: 'store-unreadable', detail: messageOf(error) } }))
      .then((done) => {
        open--;
        say({ id: question.value.id, ...done });
      });
  });
}

function refusedIn({ code, detail }: { code: string; detail?: string }): object {
  return detail === undefined ? { code } : { code, detail };
}

/** As much of a page as fits into a frame that holds nobody up; the reader goes on behind it. */
function fitting(page: Page): Page {
  let bytes = 0;
  const most = page.entries.findIndex(({ value }) => (bytes += value.length) > limits.store_page_bytes_max);
  return most <= 0 ? page : { ...page, entries: page.entries.slice(0, most), more: true };
}
