import type { FastifyReply, FastifyRequest } from 'fastify';
import { limits } from '../../protocol/limits.js';
import type { StreamStart } from './route.js';

/**
 * Server-sent events to one listener. A listener that does not read is cut off once its buffer is full: its browser comes
 * back by itself and gets the present state first, so nothing is lost but the moments between.
 */
export function serveEvents(
  start: StreamStart,
  request: FastifyRequest,
  reply: FastifyReply,
  /** A stream goes on for days: whoever may no longer hear it must not go on hearing it. */
  stillMay: () => Promise<boolean>,
): FastifyReply {
  const closed = new AbortController();
  const headers = { ...reply.getHeaders(), 'cache-control': 'no-store', 'content-type': 'text/event-stream' };
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, headers as Record<string, string>);
  raw.write('retry: 1000\n\n');
  const alive = setInterval(() => raw.write(': alive\n\n'), limits.api_stream_alive_ms);
  const check = setInterval(() => {
    void stillMay().then((may) => {
      if (!may) end();
    });
  }, limits.api_stream_check_ms);
  const end = (): void => {
    clearInterval(alive);
    clearInterval(check);
    closed.abort();
    raw.end();
  };
  request.raw.once('close', end);
  raw.once('error', end);
  start(
    (event) => {
      if (closed.signal.aborted) return;
      if (raw.writableLength > limits.api_stream_buffer_bytes_max) raw.destroy();
      else raw.write(`data: ${JSON.stringify(event)}\n\n`);
    },
    closed.signal,
    end,
  );
  return reply;
}
