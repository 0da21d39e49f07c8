import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { limits } from '../../../protocol/limits.js';
import { refuse, ok, type Result } from '../../../protocol/result.js';
import type { Handle } from './instances.js';
import { innerScript } from './inner-script.js';

export interface Exchange {
  /** Tried one after the other, until one takes the connection. */
  readonly addresses: readonly string[];
  readonly port: number;
  readonly timeout_ms: number;
  readonly bytes_max: number;
  /** When it is over: when the connection is open, at the end of a line, or at its end. */
  readonly until: 'open' | 'line' | 'end';
  readonly say: Uint8Array;
  /** Nothing more is said after that, and the other side is told so. */
  readonly shut: boolean;
}

/** Why there was no exchange: nobody took the connection, not in time, the engine has ended, or too many are under way. */
export type NoExchange = 'refused' | 'late' | 'gone' | 'busy';

export type Exchanged =
  | { readonly ok: true; readonly bytes: Buffer; readonly late: boolean }
  | { readonly ok: false; readonly why: NoExchange; readonly detail: string };

/** What came to a port inside an engine, and how it is answered. */
export type Came = (from: string, said: Buffer) => Promise<Buffer>;

const kinds = {
  exchange: 1,
  listen: 2,
  unlisten: 3,
  answer: 4,
  answered: 11,
  failed: 12,
  listens: 13,
  came: 14,
} as const;
const head_bytes = 9;
const record_bytes_max = 262_144;

interface Listening {
  readonly came: Came;
  readonly settle: (result: Result<void>) => void;
}

/** Sockets inside the network namespaces of engines, through one helper for all of them (`inner-script.ts`), which is there from the first use on. */
export class InnerSockets {
  readonly #exchanges = new Map<number, (exchanged: Exchanged) => void>();
  readonly #listeners = new Map<number, Listening>();
  #child: ChildProcessByStdio<Writable, Readable, null> | undefined;
  #last = 0;
  #closed = false;

  exchange(handle: Handle, order: Exchange): Promise<Exchanged> {
    const { addresses, port, timeout_ms, bytes_max, until, say, shut } = order;
    const head = [
      handle.pid,
      handle.born,
      addresses.join(','),
      port,
      timeout_ms,
      bytes_max,
      until,
      shut ? 1 : '',
      '',
    ].join('\0');
    if (this.#closed) return Promise.resolve({ ok: false, why: 'busy', detail: 'BMonitor stops' });
    return new Promise((resolve) => {
      const id = this.#id();
      this.#exchanges.set(id, resolve);
      this.#tell(kinds.exchange, id, Buffer.concat([Buffer.from(head), say]));
    });
  }

  /** Answers how to stop it. The helper dying ends it too: whoever listens is told by `lost`. */
  async listen(
    handle: Handle,
    order: { readonly port: number; readonly bytes_max: number; readonly timeout_ms: number },
    came: Came,
  ): Promise<Result<() => void>> {
    if (this.#closed) return refuse('cannot-listen', 'BMonitor stops');
    const id = this.#id();
    const words = [handle.pid, handle.born, order.port, order.bytes_max, order.timeout_ms].join('\0');
    const listens = await new Promise<Result<void>>((settle) => {
      this.#listeners.set(id, { came, settle });
      this.#tell(kinds.listen, id, Buffer.from(words));
    });
    if (!listens.ok) {
      this.#listeners.delete(id);
      return listens;
    }
    return ok(() => {
      if (this.#listeners.delete(id) && this.#child) this.#tell(kinds.unlisten, id, Buffer.alloc(0));
    });
  }

  /** The helper was lost, and with it everything that listened. */
  onLost: () => unknown = () => {};

  close(): void {
    this.#closed = true;
    this.#child?.kill('SIGKILL');
  }

  #id(): number {
    this.#last = (this.#last % 0x7fff_ffff) + 1;
    return this.#last;
  }

  #tell(kind: number, id: number, bytes: Buffer): void {
    const head = Buffer.alloc(head_bytes);
    head.writeUInt8(kind, 0);
    head.writeUInt32BE(id, 1);
    head.writeUInt32BE(bytes.length, 5);
    this.#helper().stdin.write(Buffer.concat([head, bytes]));
  }

  #helper(): ChildProcessByStdio<Writable, Readable, null> {
    if (this.#child) return this.#child;
    const child = spawn('/usr/bin/perl', ['-e', innerScript], {
      cwd: '/',
      stdio: ['pipe', 'pipe', 'ignore'],
      env: {
        PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
        LC_ALL: 'C',
        BM_MACHINE: process.arch === 'arm64' ? 'aarch64' : 'x86_64',
        BM_RATE: String(limits.engine_connections_per_s),
        BM_SOCKETS: String(limits.engine_inner_sockets_max),
      },
    });
    this.#child = child;
    child.stdin.on('error', () => {});
    const lost = (): void => {
      if (this.#child !== child) return;
      this.#child = undefined;
      for (const settle of this.#exchanges.values())
        settle({ ok: false, why: 'busy', detail: 'the helper was lost' });
      this.#exchanges.clear();
      for (const { settle } of this.#listeners.values())
        settle(refuse('engine-failed', 'the helper was lost'));
      this.#listeners.clear();
      if (!this.#closed) this.onLost();
    };
    child.once('error', lost);
    child.once('exit', lost);
    let held: Buffer = Buffer.alloc(0);
    child.stdout.on('data', (piece: Buffer) => {
      held = held.length === 0 ? piece : Buffer.concat([held, piece]);
      while (held.length >= head_bytes) {
        const length = held.readUInt32BE(5);
        if (length > record_bytes_max) return void child.kill('SIGKILL');
        if (held.length < head_bytes + length) return;
        const [kind, id] = [held.readUInt8(0), held.readUInt32BE(1)];
        const bytes = held.subarray(head_bytes, head_bytes + length);
        held = held.subarray(head_bytes + length);
        this.#hear(kind, id, bytes);
      }
    });
    // It ends with BMonitor, and holds nothing back that wants to end.
    child.unref();
    return child;
  }

  #hear(kind: number, id: number, bytes: Buffer): void {
    if (kind === kinds.answered || kind === kinds.failed) {
      const settle = this.#exchanges.get(id);
      this.#exchanges.delete(id);
      settle?.(kind === kinds.answered ? answeredOf(bytes) : failedOf(bytes));
    } else if (kind === kinds.listens) {
      const why = bytes.toString();
      this.#listeners.get(id)?.settle(why === '' ? ok(undefined) : refuse('cannot-listen', why));
    } else if (kind === kinds.came) {
      const end = bytes.indexOf(0, 4);
      const listening = this.#listeners.get(bytes.readUInt32BE(0));
      const said = Buffer.from(bytes.subarray(end + 1));
      void listening
        ?.came(bytes.toString('latin1', 4, end), said)
        .then((answer) => this.#child && this.#tell(kinds.answer, id, answer));
    }
  }
}

function answeredOf(bytes: Buffer): Exchanged {
  return { ok: true, late: bytes[0] === 1, bytes: Buffer.from(bytes.subarray(1)) };
}

function failedOf(bytes: Buffer): Exchanged {
  const text = bytes.toString();
  const [word = ''] = text.split(' ');
  const why: NoExchange = word === 'late' || word === 'gone' || word === 'busy' ? word : 'refused';
  return { ok: false, why, detail: text.slice(word.length + 1) };
}
