import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clientFor, type ApiClient } from '../../console/cli/client.js';
import type { PublicKey } from '../../crypto/rsa.js';
import { parseConsoleCard } from '../../protocol/console-card.js';
import type { NodeCard } from '../../protocol/node-card.js';
import type { Result } from '../../protocol/result.js';
import { root } from '../run/root.js';

export function must<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`${result.refusal.code} ${result.refusal.detail ?? ''}`);
  return result.value;
}

const cli = join(root, 'dist/console-cluster/cli/index.js');
const addingAtOnce = 16;

/** The console-cluster that a fleet is given to: one that runs, or one of its own in a directory that is removed afterwards. */
export class FleetConsole {
  readonly dir: string;
  readonly #folder: string | undefined;
  #daemon: ChildProcess | undefined;
  #client: ApiClient | undefined;
  #log = '';

  private constructor(dir: string, folder?: string) {
    this.dir = dir;
    this.#folder = folder;
  }

  static at(dir: string): FleetConsole {
    return new FleetConsole(dir);
  }

  /** A new one; `times` are how long it waits before it calls a node silent and unknown. */
  static make(times: { readonly late_ms: number; readonly unknown_ms: number }): FleetConsole {
    const folder = mkdtempSync(join(tmpdir(), 'bmonitor-fleet-'));
    const made = new FleetConsole(join(folder, 'console'), folder);
    writeFileSync(made.#passphrase, 'four random words\n', { mode: 0o600 });
    const patience = ['--late', String(times.late_ms), '--unknown', String(times.unknown_ms)];
    const args = ['init', '--name', 'fleet', '--api-port', '0', '--passphrase-file', made.#passphrase];
    const init = spawnSync(process.execPath, [cli, '--dir', made.dir, ...args, ...patience], {
      encoding: 'utf8',
    });
    if (init.status !== 0) throw new Error(init.stderr);
    return made;
  }

  get #passphrase(): string {
    return join(this.#folder ?? '', 'passphrase');
  }

  get key(): PublicKey {
    return must(parseConsoleCard(readFileSync(join(this.dir, 'console.pub.json')))).key;
  }

  /** Of the daemon, when it is ours. */
  get pid(): number | undefined {
    return this.#daemon?.pid;
  }

  async start(...more: readonly string[]): Promise<void> {
    const args = [
      cli,
      '--dir',
      this.dir,
      'run',
      '--passphrase-file',
      this.#passphrase,
      '--log-level',
      'warn',
    ];
    const daemon = spawn(process.execPath, ['--enable-source-maps', ...args, ...more], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#daemon = daemon;
    daemon.stderr.on(
      'data',
      (chunk: Buffer) => (this.#log = `${this.#log}${chunk.toString()}`.slice(-10_000)),
    );
    while (!existsSync(join(this.dir, 'running.json'))) {
      if (daemon.exitCode !== null) throw new Error(this.#log);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  get client(): ApiClient {
    return (this.#client ??= must(clientFor(this.dir)));
  }

  /** What the daemon said last, when it is ours. */
  get log(): string {
    return this.#log;
  }

  async add(cards: readonly NodeCard[], told: (added: number) => void = () => {}): Promise<void> {
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let card = cards[next++]; card !== undefined; card = cards[next++]) {
        must(await this.client.call('POST', '/api/v1/nodes', card));
        told(next);
      }
    };
    await Promise.all(Array.from({ length: addingAtOnce }, worker));
  }

  /** How many nodes are in each state, as the figures for Prometheus say. */
  async states(): Promise<Readonly<Record<string, number>>> {
    const text = must(await this.client.text('/metrics'));
    const found = [...text.matchAll(/^console_nodes\{state="([a-z]+)"\} ([0-9]+)$/gm)];
    return Object.fromEntries(found.map(([, state = '', count]) => [state, Number(count)]));
  }

  async remove(): Promise<void> {
    const daemon = this.#daemon;
    this.#daemon = undefined;
    if (daemon && daemon.exitCode === null) {
      const gone = new Promise((resolve) => daemon.once('exit', resolve));
      daemon.kill('SIGTERM');
      await gone;
    }
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }
}
