import { spawn, type ChildProcess } from 'node:child_process';
import { until } from './until.js';
import { netnsDir } from './namespaces.js';

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string | Uint8Array;
}

export interface RunResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * The process gets its own mounts with the namespace's own /sys (interface statistics), and the machine's cgroups,
 * which a fresh /sys would hide. `exec` all the way: the pid that was spawned is the program's.
 */
const enter =
  'mount --rbind /sys/fs/cgroup /mnt 2>/dev/null; mount -t sysfs sysfs /sys 2>/dev/null; mount --move /mnt /sys/fs/cgroup 2>/dev/null; exec "$@"';

function start(
  namespace: string,
  command: readonly string[],
  options: RunOptions,
  detached: boolean,
): ChildProcess & {
  stdout: NodeJS.ReadableStream;
  stderr: NodeJS.ReadableStream;
  stdin: NodeJS.WritableStream;
} {
  const args = [`--net=${netnsDir}/${namespace}`, 'unshare', '--mount', 'sh', '-c', enter, 'sh'];
  return spawn('nsenter', [...args, ...command], {
    stdio: 'pipe',
    detached,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
  });
}

/** Runs a program to its end. */
export async function runIn(
  namespace: string,
  command: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const child = start(namespace, command, options, false);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      resolve({ code, signal, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() });
    });
  });
}

const log_chars_max = 4_000_000;

/** A long-lived process in a namespace, leader of its own process group. */
export class BedProcess {
  readonly pid: number;
  readonly #child: ReturnType<typeof start>;
  #log = '';
  #ended: { code: number | null; signal: NodeJS.Signals | null } | undefined;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  constructor(namespace: string, command: readonly string[], options: RunOptions = {}) {
    this.#child = start(namespace, command, options, true);
    if (this.#child.pid === undefined) throw new Error(`could not start ${command.join(' ')}`);
    this.pid = this.#child.pid;
    const keep = (chunk: Buffer): void => {
      this.#log = (this.#log + chunk.toString()).slice(-log_chars_max);
    };
    this.#child.stdout.on('data', keep);
    this.#child.stderr.on('data', keep);
    this.#child.stdin.on('error', () => {});
    if (options.input !== undefined) this.#child.stdin.end(options.input);
    this.ended = new Promise((resolve) => {
      // Not 'close', which waits for all who hold its output: engines outlive a killed daemon.
      this.#child.once('exit', (code, signal) => {
        this.#ended = { code, signal };
        resolve(this.#ended);
      });
    });
  }

  /** Everything it wrote to stdout and stderr, in the order in which it came. */
  get log(): string {
    return this.#log;
  }

  get running(): boolean {
    return this.#ended === undefined;
  }

  write(text: string): void {
    this.#child.stdin.write(text);
  }

  /** Waits until the log matches; fails with the log if the process ends first. */
  async says(pattern: RegExp, bound_ms = 20_000): Promise<RegExpExecArray> {
    let polls_after_end = 0;
    return until(
      () => {
        const match = pattern.exec(this.#log);
        if (match !== null) return match;
        // Its last words may still be in the pipe.
        if (this.#ended !== undefined && ++polls_after_end > 40)
          throw new Error(
            `it ended (${JSON.stringify(this.#ended)}) before saying ${pattern}:\n${this.#log}`,
          );
        return undefined;
      },
      { bound_ms, what: () => `${pattern} in the log:\n${this.#log}` },
    );
  }

  /** Sends a signal to the process alone. */
  signal(signal: NodeJS.Signals): void {
    if (this.running) process.kill(this.pid, signal);
  }

  /** `kill -9` of the whole process group: what it started dies with it. */
  async kill(): Promise<void> {
    this.signalGroup('SIGKILL');
    await this.ended;
  }

  /** Asks it to end, and kills it if it does not. */
  async stop(grace_ms = 5_000): Promise<void> {
    if (!this.running) return;
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signalGroup('SIGKILL'), grace_ms);
    await this.ended;
    clearTimeout(timer);
    this.signalGroup('SIGKILL');
  }

  private signalGroup(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal);
    } catch {
      // The group is gone already.
    }
  }
}
