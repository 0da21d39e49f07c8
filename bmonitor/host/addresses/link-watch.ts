import { spawn, type ChildProcess } from 'node:child_process';
import { limits } from '../../../protocol/limits.js';

/** Many lines of one change are one call. */
const together_ms = 50;

/** Hears from the kernel, through `ip monitor`, that something about links, addresses or routes has changed. */
export class LinkWatch {
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(private readonly changed: () => void) {
    this.#start();
  }

  #start(): void {
    const child = spawn('ip', ['monitor', 'link', 'address', 'route'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    this.#child = child;
    child.stdout.on('data', () => this.#soon());
    const ended = (): void => {
      if (this.#closed || this.#child !== child) return;
      this.#child = undefined;
      // What happened meanwhile was not heard.
      this.#again = setTimeout(() => {
        this.#start();
        this.#soon();
      }, limits.retry_effects_ms);
    };
    child.on('error', ended);
    child.on('close', ended);
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.changed();
    }, together_ms);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#again);
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      child.once('close', () => resolve());
      child.kill('SIGTERM');
    });
  }
}
