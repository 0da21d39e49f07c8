import { spawn, type ChildProcess } from 'node:child_process';
import { constants, ftruncateSync, writeSync } from 'node:fs';
import { mkdtemp, open, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../../../protocol/log.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import { keeperSign } from './keeper.js';
import { runTool } from './tool.js';

/** How to run a tool of the machine: `['nft']`, or with words before it that lead into a network namespace. */
export type Prefix = readonly string[];

const errorChars_max = 2000;

/** nft reads what is typed one character at a time, each by a call of the kernel: all that is not short goes into a file without a name. */
const lineChars_max = 160;

const writeAtOnceBytes_max = 16_384;

/** What it has to say when nobody listens any more must not end it. */
const shell = "trap '' PIPE; exec nft -i";

interface Running {
  readonly child: ChildProcess;
  /** What is written here is what it reads. It holds the other end too, so it never sees an end. */
  readonly input: FileHandle;
  /** Where it reads what is not short, as its descriptor 3. No name leads there, so nothing of it is left when both have ended. */
  readonly batch: FileHandle;
}

/**
 * One long-lived `nft -i`. Each line is one transaction. It says nothing when a line was taken, so every line is followed
 * by a word that means nothing to it: when its error is read, the line before it has been answered. The kernel is not asked for that.
 *
 * The kernel keeps the latch as long as the process lives that made it, and that is this shell. So it outlives us: it
 * waits at a pipe that it holds open itself, and the next BMonitor of this namespace ends it when its own tables stand.
 *
 * INVARIANTS:
 * - Lines are sent one at a time, in the order of the calls.
 * - A shell that ended is started again by the next call; the call that saw it end is refused, and its effect is unknown.
 */
export class NftShell {
  readonly #prefix: Prefix;
  #running: Running | undefined;
  #text = '';
  #count = 0;
  #last: Promise<unknown> = Promise.resolve();
  #waiting: { marker: string; done: (text: string | undefined) => void } | undefined;

  constructor(prefix: Prefix) {
    this.#prefix = prefix;
  }

  get pid(): number | undefined {
    return this.#running?.child.pid;
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
    const started = await this.#started();
    if (!started.ok) return started;
    try {
      await rewrite(started.value.batch, Buffer.from(`${commands.join('\n')}\n`));
    } catch (error) {
      return refuse('firewall-tool-failed', messageOf(error));
    }
    return this.#send('include "/proc/self/fd/3"');
  }

  async close(): Promise<void> {
    await this.#last;
    const running = this.#running;
    this.#running = undefined;
    if (running === undefined) return;
    running.child.stderr?.destroy();
    await Promise.all([running.input.close(), running.batch.close()]);
  }

  async #send(line: string): Promise<Result<void>> {
    const started = await this.#started();
    if (!started.ok) return started;
    const { input } = started.value;
    const marker = `answered_${++this.#count}`;
    const text = await new Promise<string | undefined>((done) => {
      this.#waiting = { marker, done };
      // One short line at a time always finds room in the pipe.
      writeSync(input.fd, `${line}\n${marker}\n`);
    });
    if (text === undefined) return refuse('firewall-tool-failed', 'nft ended by itself');
    // What nft says of a line quotes the line itself, which can be long.
    const said = text.slice(0, errorChars_max).trim();
    return said === '' ? ok(undefined) : refuse('firewall-refused', said);
  }

  async #started(): Promise<Result<Running>> {
    return this.#running ? ok(this.#running) : this.#start();
  }

  async #start(): Promise<Result<Running>> {
    const input = await ownPipe();
    if (!input.ok) return input;
    const batch = await ownFile();
    const [command, ...words] = [...this.#prefix, 'sh', '-c', shell];
    const child = spawn(command, words, {
      stdio: [input.value.fd, 'ignore', 'pipe', batch.fd],
      // What ends our group of processes does not end it.
      detached: true,
      // nft keeps a history of what was typed in the home folder.
      env: { ...process.env, ...keeperSign, HOME: '/nonexistent' },
    });
    const running = { child, input: input.value, batch };
    this.#running = running;
    this.#text = '';
    child.stderr?.setEncoding('utf8').on('data', (data: string) => this.#read(data));
    const gone = (): void => {
      if (this.#running !== running) return;
      this.#running = undefined;
      void running.input.close();
      void running.batch.close();
      this.#waiting?.done(undefined);
      this.#waiting = undefined;
    };
    child.on('error', gone);
    child.on('close', gone);
    child.unref();
    return ok(running);
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

/** Where a file is memory, what is written there is read a moment later without any disk in between. */
async function ownFile(): Promise<FileHandle> {
  const folder = await mkdtemp('/dev/shm/bmonitor-nft-').catch(() =>
    mkdtemp(join(tmpdir(), 'bmonitor-nft-')),
  );
  try {
    return await open(join(folder, 'batch'), 'w+', 0o600);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** For a few rules it is done sooner than another thread would be woken for it. */
async function rewrite(file: FileHandle, bytes: Buffer): Promise<void> {
  if (bytes.length <= writeAtOnceBytes_max) {
    ftruncateSync(file.fd, 0);
    writeSync(file.fd, bytes, 0, bytes.length, 0);
    return;
  }
  await file.truncate(0);
  for (let at = 0; at < bytes.length;)
    at += (await file.write(bytes, at, bytes.length - at, at)).bytesWritten;
}

/** A pipe with a name for a moment, so that it can be opened for both ways. */
async function ownPipe(): Promise<Result<FileHandle>> {
  const folder = await mkdtemp(join(tmpdir(), 'bmonitor-nft-'));
  try {
    const path = join(folder, 'lines');
    const made = await runTool([], ['mkfifo', '-m', '600', path]);
    if (!made.ok) return made;
    if (made.value.code !== 0) return refuse('firewall-tool-failed', made.value.stderr.slice(0, 500));
    return ok(await open(path, constants.O_RDWR));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
