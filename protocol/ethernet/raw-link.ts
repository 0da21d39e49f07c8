import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { ok, refuse, type Result } from '../result.js';
import { macAt, type Mac } from './address.js';
import { formatFrame, parseFrame, type Frame } from './frame.js';
import { helperProgram } from './helper.js';

export interface RawLinkEvents {
  frame(frame: Frame): void;
  carrier(up: boolean): void;
  /** The link is gone for good: the interface was removed, or the helper ended. Not called after `close`. */
  lost(why: string): void;
}

export interface RawLinkOptions {
  readonly interface: string;
  /** Words before the helper's own, to run it elsewhere (`nsenter`). */
  readonly prefix?: readonly string[];
}

const message = { hardware: 0x68, carrier: 0x63, frame: 0x66 } as const;

/** What is said to the kernel at most while it does not take it; a storm's worth of answers. */
const waiting_bytes_max = 4 * 1024 * 1024;

/**
 * Frames of one interface, before and besides any address: the helper's packet socket.
 *
 * INVARIANTS: frames are given in the order in which they came; what is not a frame we know is dropped unseen; a link that is
 * lost or closed sends and gives nothing more.
 */
export class RawLink {
  readonly #child: ChildProcessWithoutNullStreams;
  #closed = false;

  private constructor(
    child: ChildProcessWithoutNullStreams,
    readonly mac: Mac,
    /** Whether it had one when it was opened; `events.carrier` tells of changes. */
    readonly carrierAtFirst: boolean,
  ) {
    this.#child = child;
  }

  static open(options: RawLinkOptions, events: RawLinkEvents): Promise<Result<RawLink>> {
    const words = [...(options.prefix ?? []), 'perl', '-e', helperProgram, options.interface];
    const [program = '', ...rest] = words;
    const child = spawn(program, rest, { stdio: 'pipe', env: { PATH: process.env['PATH'], LC_ALL: 'C' } });
    let link: RawLink | undefined;
    let mac: Mac | undefined;
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (data: string) => (said = (said + data).slice(0, 500)));
    child.stdin.on('error', () => {});
    return new Promise((resolve) => {
      const ended = (why: string): void => {
        if (link === undefined) resolve(refuse('link-failed', `${options.interface}: ${why}`));
        else if (!link.#closed) {
          link.#closed = true;
          events.lost(why);
        }
      };
      child.on('error', (error) => ended(error.message));
      child.on('close', (code) => ended(said.trim() || `the helper ended (${code})`));
      child.stdout.on(
        'data',
        splitter((kind, body) => {
          if (kind === message.hardware) mac = macAt(body, 0);
          else if (link === undefined && mac !== undefined && kind === message.carrier)
            resolve(ok((link = new RawLink(child, mac, body[0] === 1))));
          else if (link === undefined || link.#closed) return;
          else if (kind === message.carrier) events.carrier(body[0] === 1);
          else if (kind === message.frame) {
            const frame = parseFrame(body);
            if (frame.ok) events.frame(frame.value);
          }
        }),
      );
    });
  }

  /** False if the frame was not taken: the link is gone, or is not emptied fast enough. Frames may be lost anyway. */
  send(frame: Frame): boolean {
    if (this.#closed || this.#child.stdin.writableLength > waiting_bytes_max) return false;
    const bytes = formatFrame(frame);
    const head = Buffer.alloc(2);
    head.writeUInt16BE(bytes.length);
    this.#child.stdin.write(Buffer.concat([head, bytes]));
    return true;
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    return new Promise((resolve) => {
      this.#child.once('close', () => resolve());
      // It ends when its input does, after what waits there was sent: a release should still leave.
      this.#child.stdin.end();
    });
  }
}

/** Cuts the helper's output into its messages. */
function splitter(take: (kind: number, body: Buffer) => void): (data: Buffer) => void {
  let held: Buffer = Buffer.alloc(0);
  return (data) => {
    held = held.length === 0 ? data : Buffer.concat([held, data]);
    let at = 0;
    while (held.length >= at + 2 && held.length >= at + 2 + held.readUInt16BE(at)) {
      const end = at + 2 + held.readUInt16BE(at);
      const kind = held[at + 2];
      if (kind !== undefined) take(kind, Buffer.from(held.subarray(at + 3, end)));
      at = end;
    }
    held = held.subarray(at);
  };
}
