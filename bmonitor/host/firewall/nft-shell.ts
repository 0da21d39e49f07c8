import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ok, refuse, type Result } from '../../../protocol/result.js';

/** How to run a tool of the machine: `['nft']`, or with words before it that lead into a network namespace. */
export type Prefix = readonly string[];

const errorChars_max = 2000;

/** nft reads what is typed one character at a time, each by a call of the kernel: all that is not short goes into a file. */
const lineChars_max = 160;

const writeAtOnceChars_max = 16_384;

/**
 * One long-lived `nft -i`. Each line is one transaction. It says nothing when a line was taken, so every line is followed
 * by a question about a table that does not exist: when its error is read, the line before it has been answered.
 *
 * INVARIANTS:
 * - Lines are sent one at a time, in the order of the calls.
 * - A shell that ended is started again by the next call; the call that saw it end is refused, and its effect is unknown.
 */
export class NftShell {
  readonly #prefix: Prefix;
  #child: ChildProcessWithoutNullStreams | undefined;
  #text = '';
  #count = 0;
  #folder: string | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #waiting: { marker: string; done: (text: string | undefined) => void } | undefined;

  constructor(prefix: Prefix) {
    this.#prefix = prefix;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Several commands are one transaction. */
  transact(commands: readonly string[]): Promise<Result<void>> {
    const turn = this.#last.then(() => this.#run(commands));
    this.#last = turn;
    return turn;
  }

  async #run(commands: readonly string[]): Promise<Result<void>> {
    const line = commands.join('; ');
    if (line.length <= lineChars_max) return this.#send(line);
    this.#folder ??= await mkdtemp(join(tmpdir(), 'bmonitor-nft-'));
    const file = join(this.#folder, 'batch.nft');
    const text = `${commands.join('\n')}\n`;
    // For a few rules it is done sooner than another thread would be woken for it.
    if (text.length <= writeAtOnceChars_max) writeFileSync(file, text, { mode: 0o600 });
    else await writeFile(file, text, { mode: 0o600 });
    return this.#send(`include "${file}"`);
  }

  async close(): Promise<void> {
    await this.#last;
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
    this.#folder = undefined;
    const child = this.#child;
    if (child === undefined) return;
    await new Promise<void>((resolve) => {
      child.once('close', () => resolve());
      child.stdin.end();
    });
  }

  async #send(line: string): Promise<Result<void>> {
    const child = this.#child ?? this.#start();
    const marker = `answered_${++this.#count}`;
    const text = await new Promise<string | undefined>((done) => {
      this.#waiting = { marker, done };
      child.stdin.write(`${line}\nlist table inet ${marker}\n`);
    });
    if (text === undefined) return refuse('firewall-tool-failed', 'nft ended by itself');
    // What nft says of a line quotes the line itself, which can be long.
    const said = text.slice(0, errorChars_max).trim();
    return said === '' ? ok(undefined) : refuse('firewall-refused', said);
  }

  #start(): ChildProcessWithoutNullStreams {
    const [command, ...words] = [...this.#prefix, 'nft', '-i'];
    const child = spawn(command, words, {
      stdio: 'pipe',
      // nft keeps a history of what was typed in the home folder.
      env: { ...process.env, HOME: '/nonexistent' },
    });
    this.#child = child;
    this.#text = '';
    child.stdout.resume();
    child.stderr.setEncoding('utf8').on('data', (data: string) => this.#read(data));
    child.stdin.on('error', () => {});
    const ended = (): void => {
      if (this.#child !== child) return;
      this.#child = undefined;
      this.#waiting?.done(undefined);
      this.#waiting = undefined;
    };
    child.on('error', ended);
    child.on('close', ended);
    // The daemon may end while the shell waits for its next line; it ends with our end of the pipe.
    child.unref();
    return child;
  }

  /** The marker stands in the quoted line of the error, which a line of carets ends. */
  #read(data: string): void {
    this.#text += data;
    const { marker } = this.#waiting ?? {};
    if (marker === undefined) return;
    const at = this.#text.indexOf(marker);
    const end = at < 0 ? -1 : this.#text.indexOf('^', at);
    if (end < 0) return;
    const before = this.#text.slice(0, at);
    this.#text = '';
    const waiting = this.#waiting;
    this.#waiting = undefined;
    // The answer to the question begins with its own "Error:".
    waiting?.done(before.slice(0, before.lastIndexOf('Error:')).replace(/^[\s^~]+/u, ''));
  }
}
