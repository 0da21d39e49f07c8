import { isErrorCode } from '../../protocol/errors/index.js';
import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { bytesOf, dial } from '../../protocol/socket.js';
import type { Secret } from '../../crypto/secret.js';
import type { WebSocket } from 'ws';
import { checkWrite } from './check.js';
import type { Condition, Entry, KeyStore, Op, Page, RangeOptions, Revision, Watcher } from './port.js';
import { changesIn, frameOf, readAnswer, readWelcome, type Answer } from './wire.js';

export interface RemoteStoreOptions {
  readonly url: string;
  /** Of the certificate that the store service shows. */
  readonly pin: string;
  readonly token: Secret;
  /** Told once when the connection is gone: what was asked since is not known to be done. */
  lost(why: string): void;
}

/** Opens the store that a store service keeps for several consoles. */
export async function openRemoteStore(options: RemoteStoreOptions): Promise<Result<KeyStore>> {
  const { url, pin, token } = options;
  const dialled = await dial({
    url,
    pin,
    timeout_ms: limits.dial_ms_max,
    payload_bytes_max: limits.store_frame_bytes_max,
  });
  if (!dialled.ok) return dialled;
  const socket = dialled.value;
  const first = new Promise<Result<true>>((resolve) => {
    socket.once('message', (data) => {
      const welcome = readWelcome(bytesOf(data).toString());
      resolve(welcome.ok ? ok(true) : refuse('store-stranger', url));
    });
    socket.once('close', () => resolve(refuse('store-stranger', url)));
    socket.once('error', () => resolve(refuse('store-away', url)));
  });
  socket.resume();
  token.use((bytes) => socket.send(frameOf({ v: 1, token: Buffer.from(bytes).toString() })));
  const welcome = await first;
  if (!welcome.ok) {
    socket.terminate();
    return welcome;
  }
  return ok(new RemoteStore(socket, options));
}

interface Open {
  readonly settle: (answer: Result<Answer>) => void;
  readonly guard: NodeJS.Timeout;
}

/**
 * INVARIANTS:
 * - Questions are answered in their own time; a watch hears of a write before the write is answered, as in the store itself.
 * - After the connection is gone nothing is asked any more, and every open question is refused with `store-away`.
 */
class RemoteStore implements KeyStore {
  readonly #socket: WebSocket;
  readonly #options: RemoteStoreOptions;
  readonly #open = new Map<number, Open>();
  readonly #watchers = new Map<number, Watcher>();
  #next = 1;
  #gone = false;
  #closing = false;

  constructor(socket: WebSocket, options: RemoteStoreOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.removeAllListeners();
    socket.on('message', (data) => this.#hear(bytesOf(data).toString()));
    socket.on('error', () => {});
    socket.on('ping', (data) => socket.pong(data));
    socket.on('close', () => this.#left('the connection closed'));
  }

  async get(key: string): Promise<Entry | undefined> {
    const answer = await this.#ask({ get: key });
    if (answer.ok) return answer.value.entry;
    throw new Error(`${answer.refusal.code}: ${answer.refusal.detail ?? ''}`);
  }

  async range(options: RangeOptions): Promise<Page> {
    const answer = await this.#ask({ range: options });
    if (answer.ok && answer.value.page) return answer.value.page;
    throw new Error(answer.ok ? 'store-away: no page' : answer.refusal.code);
  }

  async write(ops: readonly Op[], conditions: readonly Condition[] = []): Promise<Result<Revision>> {
    const checked = checkWrite(ops);
    if (!checked.ok) return checked;
    const answer = await this.#ask({ write: { ops, conditions } });
    if (!answer.ok) return answer;
    return answer.value.revision === undefined ? refuse('store-away') : ok(answer.value.revision);
  }

  async watch(prefix: string, after: Revision, watcher: Watcher): Promise<Result<() => void>> {
    const id = this.#next;
    this.#watchers.set(id, watcher);
    const answer = await this.#ask({ watch: { prefix, after } });
    if (!answer.ok) {
      this.#watchers.delete(id);
      return answer;
    }
    return ok(() => {
      if (this.#watchers.delete(id)) void this.#ask({ unwatch: id });
    });
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#left('closed here');
    if (this.#socket.readyState === this.#socket.CLOSED) return;
    const closed = new Promise((resolve) => this.#socket.once('close', resolve));
    this.#socket.close();
    const guard = setTimeout(() => this.#socket.terminate(), 1000);
    await closed;
    clearTimeout(guard);
  }

  #ask(question: Readonly<Record<string, unknown>>): Promise<Result<Answer>> {
    if (this.#gone) return Promise.resolve(refuse('store-away', this.#options.url));
    if (this.#open.size >= limits.store_calls_open_max)
      return Promise.resolve(refuse('too-many', 'questions to the store'));
    const id = this.#next++;
    return new Promise((settle) => {
      const guard = setTimeout(() => this.#left('no answer in time'), limits.store_answer_ms_max);
      this.#open.set(id, { settle, guard });
      this.#socket.send(frameOf({ id, ...question }));
    });
  }

  #hear(frame: string): void {
    const answer = readAnswer(frame);
    if (!answer.ok) return this.#left(`an answer of no known form: ${answer.refusal.detail ?? ''}`);
    const { id, watch, changes, lost, refused } = answer.value;
    if (watch !== undefined) {
      const watcher = this.#watchers.get(watch);
      if (changes) watcher?.changes(changesIn(changes));
      if (lost === true && this.#watchers.delete(watch)) watcher?.lost();
    }
    const open = id === undefined ? undefined : this.#open.get(id);
    if (id === undefined || !open) return;
    this.#open.delete(id);
    clearTimeout(open.guard);
    const code = refused && isErrorCode(refused.code) ? refused.code : 'internal';
    open.settle(refused ? refuse(code, refused.detail) : answer);
  }

  #left(why: string): void {
    if (this.#gone) return;
    this.#gone = true;
    for (const { settle, guard } of this.#open.values()) {
      clearTimeout(guard);
      settle(refuse('store-away', why));
    }
    this.#open.clear();
    const watchers = [...this.#watchers.values()];
    this.#watchers.clear();
    for (const watcher of watchers) watcher.lost();
    if (this.#closing) return;
    this.#socket.terminate();
    this.#options.lost(why);
  }
}
