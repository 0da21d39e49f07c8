import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import { sourcePath } from './paths.js';

export type ProbeReply = Readonly<Record<string, unknown>>;
export type ProbeEvent = Readonly<Record<string, unknown>> & {
  readonly handle: number;
  readonly event: string;
};
type Waiting = { resolve: (reply: ProbeReply) => void; reject: (error: Error) => void };

/** The other end of probe.py: requests with an id, replies, and events for those who hold a handle. */
export class Probe {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Map<number, (event: ProbeEvent) => void>();
  // A packet may arrive between the reply that names a handle and the listener for it.
  readonly #early = new Map<number, ProbeEvent[]>();
  #next = 1;
  #said = '';

  constructor() {
    this.#child = spawn('/usr/bin/python3', ['-S', '-E', sourcePath('test/facility/bed/probe.py')], {
      stdio: 'pipe',
    });
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#take(line));
    this.#child.stderr.on('data', (chunk: Buffer) => (this.#said += chunk.toString()));
    this.#child.stdin.on('error', () => {});
    this.#child.once('error', (error) => this.#fail(error));
    this.#child.once('exit', () => this.#fail(new Error(`the probe ended: ${this.#said}`)));
  }

  async ask(request: ProbeReply): Promise<ProbeReply> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.stdin.write(`${JSON.stringify({ ...request, id })}\n`);
    });
  }

  on(handle: number, listener: (event: ProbeEvent) => void): void {
    this.#listeners.set(handle, listener);
    const early = this.#early.get(handle) ?? [];
    this.#early.delete(handle);
    // Whoever listens may still be under construction; nothing later can come in between.
    queueMicrotask(() => early.forEach(listener));
  }

  async close(handle: number, abort = false): Promise<ProbeReply> {
    const reply = await this.ask({ do: 'close', handle, abort });
    this.#listeners.delete(handle);
    this.#early.delete(handle);
    return reply;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await gone;
  }

  #take(line: string): void {
    const message = JSON.parse(line) as ProbeReply;
    const { id, handle } = message;
    if (typeof id === 'number') {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (typeof message['error'] === 'string') waiting?.reject(new Error(message['error']));
      else waiting?.resolve(message['ok'] as ProbeReply);
    } else if (typeof handle === 'number') {
      const event = message as ProbeEvent;
      const listener = this.#listeners.get(handle);
      if (listener !== undefined) listener(event);
      else this.#early.set(handle, [...(this.#early.get(handle) ?? []), event]);
    }
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
