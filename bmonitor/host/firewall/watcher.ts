import { spawn, type ChildProcess } from 'node:child_process';
import type { Prefix } from './nft-shell.js';

/**
 * Hears of every change of the kernel's rules in this namespace, ours and others', from `nft monitor`, which names the
 * process at the end of each: "# new generation 27 by process 14037 (nft)".
 */
const restart_ms = 500;
/** Enough to find the words even when they are cut by the edge of a read. */
const tail_chars = 200;

export class RuleWatcher {
  readonly #command: readonly string[];
  readonly #changed: (pid: number) => void;
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** `changed` is called with the process that changed something, or with 0 when the watch itself was interrupted. */
  constructor(prefix: Prefix, changed: (pid: number) => void) {
    // Without stdbuf, nft keeps what it says until its buffer is full.
    this.#command = [...prefix, 'stdbuf', '-oL', 'nft', 'monitor'];
    this.#changed = changed;
    this.#start();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child === undefined) return;
    await new Promise<void>((resolve) => {
      child.once('close', () => resolve());
      child.kill('SIGTERM');
    });
  }

  #start(): void {
    const [program = '', ...words] = this.#command;
    const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'ignore'] });
    this.#child = child;
    let text = '';
    child.stdout.setEncoding('latin1').on('data', (data: string) => {
      text += data;
      let end = 0;
      for (const found of text.matchAll(/# new generation \d+ by process (\d+)[^\n]*\n/gu)) {
        end = found.index + found[0].length;
        this.#changed(Number(found[1]));
      }
      text = text.slice(Math.max(end, text.length - tail_chars));
    });
    const again = (): void => {
      if (this.#child !== child) return;
      this.#child = undefined;
      if (this.#closed) return;
      this.#timer = setTimeout(() => {
        this.#start();
        this.#changed(0);
      }, restart_ms);
    };
    child.on('error', again);
    child.on('close', again);
  }
}
