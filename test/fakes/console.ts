import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseConsoleCard } from '../../protocol/console-card.js';
import type { PublicKey } from '../../crypto/rsa.js';
import { TemporaryFolder } from './folder.js';
import { until } from './until.js';

/** A port that was free a moment ago, for what must come back on the same one. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** What its processes run in. */
interface Around {
  readonly env?: Readonly<Record<string, string>>;
  /** A program that starts the daemon, and its arguments. */
  readonly wrap?: readonly string[];
}

const root = fileURLToPath(new URL('../../', import.meta.url));

/** A real console: a directory, a daemon of its own, and its command line. */
export class RealConsole {
  readonly #kind: 'console-cluster' | 'console-app';
  readonly #folder: TemporaryFolder;
  readonly #dir: string | undefined;
  #daemon: ChildProcess | undefined;
  log = '';

  readonly #around: Around;

  /** `dir`: where its files are to be, when that is not to be chosen here. */
  constructor(kind: 'console-cluster' | 'console-app', dir?: string, around: Around = {}) {
    this.#kind = kind;
    this.#folder = new TemporaryFolder(kind);
    this.#dir = dir;
    this.#around = around;
  }

  get #env(): NodeJS.ProcessEnv {
    return { ...process.env, ...this.#around.env };
  }

  get pid(): number {
    return this.#daemon?.pid ?? 0;
  }

  get dir(): string {
    return this.#dir ?? join(this.#folder.path, 'console');
  }

  get passphrase(): string {
    const path = join(this.#folder.path, 'passphrase');
    if (!existsSync(path)) writeFileSync(path, 'four random words\n', { mode: 0o600 });
    return path;
  }

  file(name: string, content: string): string {
    const path = join(this.#folder.path, name);
    writeFileSync(path, content);
    return path;
  }

  /** Runs the command line and gives what it printed. */
  cli(...args: string[]): { status: number | null; out: string; err: string } {
    const index = join(root, this.#kind, 'cli/index.js');
    // What never ends would hold up the whole suite: mocha cannot end what blocks it.
    const run = spawnSync(process.execPath, [index, '--dir', this.dir, ...args], {
      encoding: 'utf8',
      timeout: 180_000,
      env: this.#env,
    });
    return { status: run.status, out: run.stdout, err: run.stderr };
  }

  /** The same, without holding up what else runs in this process (a fake node, for one). */
  async cliLater(...args: string[]): Promise<{ status: number | null; out: string; err: string }> {
    const index = join(root, this.#kind, 'cli/index.js');
    const child = spawn(process.execPath, [index, '--dir', this.dir, ...args], { env: this.#env });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { status, out, err };
  }

  must(...args: string[]): string {
    const { status, out, err } = this.cli(...args);
    if (status !== 0) throw new Error(`${args.join(' ')}: ${err}${out}`);
    return out;
  }

  init(...more: string[]): PublicKey {
    const args = ['--name', 'test', '--api-port', '0', '--key-bits', '2048'];
    const times = ['--ask-every', '150', '--late', '600', '--unknown', '1500'];
    this.must('init', '--passphrase-file', this.passphrase, ...args, ...times, ...more);
    const card = parseConsoleCard(readFileSync(join(this.dir, 'console.pub.json')));
    if (!card.ok) throw new Error(card.refusal.code);
    return card.value.key;
  }

  async run(env: Readonly<Record<string, string>> = {}): Promise<void> {
    return this.runBeside('"listening"', env);
  }

  /** Until it has said a word: one that stands by never listens. */
  async runBeside(word: string, env: Readonly<Record<string, string>> = {}): Promise<void> {
    const index = join(root, this.#kind, 'cli/index.js');
    const args = [
      '--enable-source-maps',
      index,
      '--dir',
      this.dir,
      'run',
      '--passphrase-file',
      this.passphrase,
    ];
    const [program = '', ...words] = [...(this.#around.wrap ?? []), process.execPath, ...args];
    const daemon = spawn(program, [...words, '--log-level', 'debug'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...this.#env, ...env },
    });
    this.#daemon = daemon;
    daemon.stderr.on('data', (chunk: Buffer) => (this.log += chunk.toString()));
    this.log = '';
    await until(() => {
      if (daemon.exitCode !== null) throw new Error(this.log);
      return existsSync(join(this.dir, 'running.json')) && this.log.includes(word);
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#daemon?.kill(signal);
  }

  /** Its exit code, once it ends by itself. */
  async exited(): Promise<number | null> {
    const daemon = this.#daemon;
    if (!daemon || daemon.exitCode !== null) return daemon?.exitCode ?? null;
    return new Promise((resolve) => daemon.once('exit', resolve));
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const daemon = this.#daemon;
    this.#daemon = undefined;
    if (!daemon || daemon.exitCode !== null) return daemon?.exitCode ?? null;
    const exited = new Promise<number | null>((resolve) => daemon.once('exit', resolve));
    daemon.kill(signal);
    return exited;
  }

  async remove(): Promise<void> {
    await this.stop('SIGKILL');
    this.#folder.remove();
  }
}
