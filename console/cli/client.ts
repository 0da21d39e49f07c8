import { request as plainRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { createInterface } from 'node:readline';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { digestText } from '../../protocol/fields.js';
import { isErrorCode } from '../../protocol/errors/index.js';
import { parseJson } from '../../protocol/json.js';
import { limits } from '../../protocol/limits.js';
import { messageOf } from '../../protocol/log.js';
import { object, opaqueObject, optional, text, whole } from '../../protocol/parse.js';
import { ok, refuse, type Refused, type Result } from '../../protocol/result.js';
import { consoleFiles, readFileLimited, readSecretFile } from '../daemon/files.js';
import { doorPath, doorProtocol } from '../api/door-words.js';
import { certificatePin } from '../../protocol/pin.js';

const runningForm = object({
  url: text({ max: 300 }),
  pid: whole({ min: 1, max: 2 ** 31 }),
  pin: optional(digestText),
});

const errorForm = object({
  error: object({
    code: text({ max: 64 }),
    what: optional(text({ min: 0, max: 1000 })),
    why: optional(text({ min: 0, max: 1000 })),
    todo: optional(text({ min: 0, max: 1000 })),
    detail: optional(text({ min: 0, max: 4000 })),
    where: optional(text({ min: 0, max: 1000 })),
    data: optional(opaqueObject),
  }),
});

/** How the command line speaks to the daemon of a directory. */
export class ApiClient {
  readonly url: string;
  readonly #token: string;
  readonly #pin: string | undefined;

  constructor(url: string, token: string, pin: string | undefined) {
    this.url = url;
    this.#token = token;
    this.#pin = pin;
  }

  async call(method: string, path: string, body?: unknown): Promise<Result<Record<string, unknown>>> {
    const answer = await this.#whole(method, path, body);
    if (!answer.ok) return answer;
    const json = parseJson(answer.value);
    return json.ok ? opaqueObject(json.value, 'answer') : json;
  }

  /** What is there for other programs: figures, signs of life. */
  async text(path: string): Promise<Result<string>> {
    return this.#whole('GET', path);
  }

  async #whole(method: string, path: string, body?: unknown): Promise<Result<string>> {
    const answer = await this.#send(method, path, body);
    if (!answer.ok) return answer;
    let content = '';
    for await (const chunk of answer.value) {
      content += String(chunk);
      if (content.length > limits.api_answer_chars_max)
        return refuse('too-large', 'the answer of the daemon');
    }
    if (answer.value.statusCode === 200) return ok(content);
    const json = parseJson(content);
    return json.ok ? refusalIn(json.value) : json;
  }

  /** Server-sent events, until the connection or the caller ends. */
  async *events(path: string): AsyncGenerator<Result<Record<string, unknown>>> {
    const answer = await this.#send('GET', path);
    if (!answer.ok) {
      yield answer;
      return;
    }
    for await (const line of createInterface({ input: answer.value })) {
      if (!line.startsWith('data: ')) continue;
      const json = parseJson(line.slice(6));
      yield json.ok ? opaqueObject(json.value, 'event') : json;
    }
  }

  /** A connection that carries records from here on. */
  async upgrade(): Promise<Result<Socket>> {
    const headers = { connection: 'upgrade', upgrade: doorProtocol };
    const url = new URL(doorPath, this.url);
    return new Promise((resolve) => {
      const all = { headers: { ...headers, authorization: `Bearer ${this.#token}` } };
      const sent =
        url.protocol === 'https:'
          ? tlsRequest(url, { ...all, rejectUnauthorized: false })
          : plainRequest(url, all);
      sent.on('error', (error) => resolve(refuse('no-daemon', `${this.url}: ${messageOf(error)}`)));
      sent.on('response', (response) => {
        response.resume();
        resolve(refuse('not-permitted', `the daemon answers ${response.statusCode ?? 0}`));
      });
      sent.on('upgrade', (_response, socket: Socket, head) => {
        if (head.length > 0) socket.unshift(head);
        resolve(ok(socket));
      });
      this.#whenPinned(sent, url, undefined);
    });
  }

  #send(method: string, path: string, body?: unknown): Promise<Result<IncomingMessage>> {
    const content = body === undefined ? undefined : JSON.stringify(body);
    const headers: Record<string, string> = { authorization: `Bearer ${this.#token}` };
    if (content !== undefined) headers['content-type'] = 'application/json';
    return new Promise((resolve) => {
      const url = new URL(path, this.url);
      const sent =
        url.protocol === 'https:'
          ? tlsRequest(url, { method, headers, rejectUnauthorized: false })
          : plainRequest(url, { method, headers });
      sent.on('error', (error) => resolve(refuse('no-daemon', `${this.url}: ${messageOf(error)}`)));
      sent.on('response', (response) => resolve(ok(response)));
      this.#whenPinned(sent, url, content);
    });
  }

  /** The token is sent only to the daemon whose key is in the directory. */
  #whenPinned(sent: ClientRequest, url: URL, content: string | undefined): void {
    if (url.protocol !== 'https:') {
      sent.end(content);
      return;
    }
    sent.on('socket', (socket) => {
      socket.once('secureConnect', () => {
        const { raw } = (socket as TLSSocket).getPeerCertificate();
        if (raw !== undefined && certificatePin(raw) === this.#pin) sent.end(content);
        else sent.destroy(new Error('the daemon shows another key than the one of this directory'));
      });
    });
  }
}

export function refusalIn(value: unknown): Refused {
  const parsed = errorForm(value, '');
  if (!parsed.ok) return parsed;
  const { code, detail, where, data } = parsed.value.error;
  return refuse(isErrorCode(code) ? code : 'unknown-refusal', detail ?? code, {
    ...(where === undefined ? {} : { where }),
    ...(data === undefined ? {} : { data }),
  });
}

export function clientFor(dir: string): Result<ApiClient> {
  const files = consoleFiles(dir);
  const running = readFileLimited(files.running);
  if (!running.ok) return refuse('no-daemon', `nothing runs on ${dir}`);
  const json = parseJson(running.value);
  const form = json.ok ? runningForm(json.value, 'running.json') : json;
  if (!form.ok) return form;
  const token = readSecretFile(files.token);
  if (!token.ok) return token;
  return ok(new ApiClient(form.value.url, token.value.toString().trim(), form.value.pin));
}
