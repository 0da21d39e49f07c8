import { randomBytes } from 'node:crypto';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { parseJson } from '../../../protocol/json.js';
import { engineSaid, type EngineSaid } from '../../../protocol/engine-interface.js';
import { limits } from '../../../protocol/limits.js';
import { messageOf } from '../../../protocol/log.js';
import { ok, refuse, type Refusal, type Result } from '../../../protocol/result.js';
import type { EngineVoice } from '../../ports/engines.js';

/** What an engine may ask of BMonitor beside what is heard of it. */
export interface EngineVerbs {
  secret(id: string, name: string): Promise<Result<object>>;
  memory(id: string, wanted_mb: number | undefined): Promise<Result<object>>;
  send(id: string, to: string, text: string): Promise<Result<object>>;
}

interface Asked {
  readonly connection: Connection;
  settle(result: Result<string>): void;
}

interface Open {
  readonly server: Server;
  readonly connections: Set<Connection>;
  readonly asked: Map<string, Asked>;
}

/** The folder that an engine finds at /run/bmonitor. */
export function interfaceFolder(run: string): string {
  return join(run, 'bm');
}

/**
 * The engines' own interface: a socket in each engine, so that who speaks is who owns the socket it came by (security rule 23). Lines of
 * JSON; a line that is too long or says nothing known ends its connection, and who says too much waits.
 */
export class EngineSockets {
  readonly #hears: EngineVoice;
  readonly #verbs: EngineVerbs;
  readonly #open = new Map<string, Open>();
  #turns = 0;

  constructor(hears: EngineVoice, verbs: EngineVerbs) {
    this.#hears = hears;
    this.#verbs = verbs;
  }

  /** Before the engine is started, and when it is found running by a new BMonitor. */
  async open(id: string, run: string): Promise<Result<void>> {
    await this.close(id);
    const folder = interfaceFolder(run);
    const path = join(folder, 'socket');
    const open: Open = { server: createServer(), connections: new Set(), asked: new Map() };
    open.server.on('connection', (socket) => this.#take(id, open, socket));
    open.server.maxConnections = limits.engine_interface_connections_max;
    try {
      await mkdir(folder, { recursive: true });
      await chmod(folder, 0o755);
      await rm(path, { force: true });
      await new Promise<void>((resolve, reject) => {
        open.server.once('error', reject);
        open.server.listen(path, resolve);
      });
      // Every user of the engine may speak for it; nobody else sees this folder.
      await chmod(path, 0o666);
    } catch (error) {
      return refuse('cannot-listen', messageOf(error));
    }
    this.#open.set(id, open);
    return ok(undefined);
  }

  close(id: string): Promise<void> {
    const open = this.#open.get(id);
    this.#open.delete(id);
    if (!open) return Promise.resolve();
    for (const connection of open.connections) connection.socket.destroy();
    return new Promise((resolve) => open.server.close(() => resolve()));
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#open.keys()].map((id) => this.close(id)));
  }

  /** Something that every connection of an engine is told. */
  tell(id: string, words: object): void {
    for (const connection of this.#open.get(id)?.connections ?? []) connection.say(words);
  }

  /** Something for one of those that receive, in turn. Who does not read what it is told is left out. */
  deliver(id: string, words: object): 'taken' | 'nobody' | 'full' {
    const receiving = [...(this.#open.get(id)?.connections ?? [])].filter((one) => one.receives);
    const ready = receiving.filter((one) => one.socket.writableLength < limits.engine_line_bytes_max / 2);
    this.#turns += 1;
    const one = ready[this.#turns % Math.max(1, ready.length)];
    if (!one) return receiving.length > 0 ? 'full' : 'nobody';
    one.say(words);
    return 'taken';
  }

  /** A question to a thread or process of the engine that gave its name. */
  ask(
    id: string,
    of: string,
    text: string,
    timeout_ms: number = limits.engine_answer_ms_max,
  ): Promise<Result<string>> {
    const open = this.#open.get(id);
    const connection = [...(open?.connections ?? [])].find((one) => one.names.has(of));
    if (!open || !connection) return Promise.resolve(refuse('engine-silent', `nobody there is called ${of}`));
    const ask = randomBytes(9).toString('base64url');
    return new Promise((resolve) => {
      const settle = (result: Result<string>): void => {
        clearTimeout(late);
        open.asked.delete(ask);
        resolve(result);
      };
      const late = setTimeout(
        () =>
          settle(
            refuse('engine-silent', `${of} did not answer in ${timeout_ms} ms`, { data: { late: true } }),
          ),
        timeout_ms,
      );
      open.asked.set(ask, { connection, settle });
      connection.say({ ask, of, text });
    });
  }

  #take(id: string, open: Open, socket: Socket): void {
    const connection = new Connection(socket, (said) => this.#hear(id, open, connection, said));
    open.connections.add(connection);
    socket.once('close', () => {
      open.connections.delete(connection);
      for (const asked of open.asked.values())
        if (asked.connection === connection) asked.settle(refuse('engine-silent', 'it hung up'));
    });
  }

  #hear(
    id: string,
    open: Open,
    connection: Connection,
    said: EngineSaid,
  ): Result<object> | Promise<Result<object>> {
    switch (said.do) {
      case 'beat':
        this.#hears.beat(id);
        return ok({});
      case 'error':
        this.#hears.error(id, said.text);
        return ok({});
      case 'config':
        return ok({ config: this.#hears.config(id) ?? {} });
      case 'memory':
        return this.#verbs.memory(id, said.mb);
      case 'send':
        return this.#verbs.send(id, said.to, said.text);
      case 'receive':
        connection.receives = true;
        return ok({});
      case 'secret':
        return this.#verbs.secret(id, said.name);
      case 'serve':
        if (connection.names.size >= limits.engine_parts_max) return refuse('too-many', 'names');
        connection.names.add(said.name);
        return ok({});
      case 'answer': {
        const asked = open.asked.get(said.ask);
        // Only who was asked answers.
        if (asked?.connection !== connection)
          return refuse('bad-input', 'nobody waits for it', { where: 'ask' });
        asked.settle(ok(said.text));
        return ok({});
      }
    }
  }
}

type Hear = (said: EngineSaid) => Result<object> | Promise<Result<object>>;

/** One connection: cuts what comes into lines, and takes no more of them than it may say. */
class Connection {
  readonly socket: Socket;
  readonly names = new Set<string>();
  /** It takes messages of other engines. */
  receives = false;
  readonly #hear: Hear;
  /** What was asked and is not answered yet. */
  #under = 0;
  #held: Buffer = Buffer.alloc(0);
  #tokens: number = limits.engine_lines_per_s;
  #filled_ms = performance.now();
  #again: NodeJS.Timeout | undefined;

  constructor(socket: Socket, hear: Hear) {
    this.socket = socket;
    this.#hear = hear;
    socket.on('error', () => socket.destroy());
    socket.on('close', () => clearTimeout(this.#again));
    socket.on('data', (piece: Buffer) => {
      this.#held = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]);
      this.#lines();
    });
  }

  say(words: object): void {
    // Whoever asks and does not read what it is answered holds no memory of ours.
    if (this.socket.writableLength > limits.engine_line_bytes_max) this.socket.destroy();
    else this.socket.write(`${JSON.stringify(words)}\n`);
  }

  #lines(): void {
    for (;;) {
      const end = this.#held.indexOf(0x0a);
      if (
        end > limits.engine_line_bytes_max ||
        (end === -1 && this.#held.length > limits.engine_line_bytes_max)
      )
        return this.#refuse({
          code: 'too-large',
          detail: `a line has at most ${limits.engine_line_bytes_max} bytes`,
        });
      if (end === -1) return;
      if (!this.#may()) return this.#wait();
      const line = this.#held.subarray(0, end);
      this.#held = this.#held.subarray(end + 1);
      const json = parseJson(line);
      const said = json.ok ? engineSaid(json.value) : json;
      if (!said.ok) return this.#refuse(said.refusal);
      const done = this.#hear(said.value);
      if (done instanceof Promise) void this.#later(said.value, done);
      else this.#answer(said.value, done);
      if (this.socket.destroyed) return;
    }
  }

  #answer({ id }: EngineSaid, done: Result<object>): void {
    this.say({
      ...(id === undefined ? {} : { id }),
      ...(done.ok ? { ok: true, ...done.value } : errorOf(done.refusal)),
    });
  }

  /** What takes a while holds up nothing that is said after it, until there is too much of it. */
  async #later(said: EngineSaid, done: Promise<Result<object>>): Promise<void> {
    this.#under += 1;
    const result = await done.catch(() => refuse('internal'));
    this.#under -= 1;
    if (!this.socket.destroyed) this.#answer(said, result);
  }

  #may(): boolean {
    if (this.#under >= limits.engine_asks_at_once_max) return false;
    const now = performance.now();
    const more = ((now - this.#filled_ms) * limits.engine_lines_per_s) / 1000;
    this.#tokens = Math.min(limits.engine_lines_per_s, this.#tokens + more);
    this.#filled_ms = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  #wait(): void {
    this.socket.pause();
    clearTimeout(this.#again);
    this.#again = setTimeout(() => {
      this.#lines();
      if (!this.socket.destroyed && this.#held.indexOf(0x0a) === -1) this.socket.resume();
    }, 1000 / limits.engine_lines_per_s);
  }

  #refuse(refusal: Refusal): void {
    this.#held = Buffer.alloc(0);
    this.socket.end(`${JSON.stringify(errorOf(refusal))}\n`);
    this.socket.destroySoon();
  }
}

function errorOf({ code, detail, where }: Refusal): object {
  return {
    error: { code, ...(detail === undefined ? {} : { detail }), ...(where === undefined ? {} : { where }) },
  };
}
