import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TemporaryFolder } from './folder.js';
import { until } from './until.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const bmonitor = join(root, 'bmonitor/cli/index.js');

/** A program with a person before it: what it says is read, what it asks is typed. */
export class Attended {
  readonly #child: ChildProcess;
  readonly over: Promise<number | null>;
  said = '';

  constructor(script: string, ...args: readonly string[]) {
    this.#child = spawn(process.execPath, ['--enable-source-maps', script, ...args]);
    const hear = (chunk: Buffer): void => void (this.said += chunk.toString());
    this.#child.stdout?.on('data', hear);
    this.#child.stderr?.on('data', hear);
    this.over = new Promise((resolve) => this.#child.once('close', resolve));
  }

  /** Waits until it has said this, and gives what was found in it. */
  async says(pattern: RegExp): Promise<string> {
    let ended = false;
    void this.over.then(() => (ended = true));
    await until(() => {
      if (ended && !pattern.test(this.said)) throw new Error(this.said);
      return pattern.test(this.said);
    }, 60_000);
    return pattern.exec(this.said)?.[1] ?? '';
  }

  type(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

/** A machine without a landlord, on which `bmonitor pair` is run. */
export class MachineAtDesk {
  readonly #folder = new TemporaryFolder('machine');
  readonly #running: Attended[] = [];

  get dir(): string {
    return join(this.#folder.path, 'node');
  }

  pair(gateway: string, listen: string, ...more: readonly string[]): Attended {
    const args = ['pair', '--dir', this.dir, '--gateway', gateway, '--listen', listen, '--key-bits', '2048'];
    return this.#attend(...args, '--keys', 'file', ...more);
  }

  run(): Attended {
    return this.#attend('run', '--dir', this.dir);
  }

  #attend(...args: readonly string[]): Attended {
    const program = new Attended(bmonitor, ...args);
    this.#running.push(program);
    return program;
  }

  /** Ends whatever runs on it. */
  async stop(): Promise<void> {
    for (const program of this.#running) program.kill();
    await Promise.all(this.#running.map(({ over }) => over));
  }

  config(): { name: string; gateways: readonly { url: string; pin?: string }[] } {
    return JSON.parse(readFileSync(join(this.dir, 'node.json'), 'utf8')) as ReturnType<
      MachineAtDesk['config']
    >;
  }

  async remove(): Promise<void> {
    await this.stop();
    this.#folder.remove();
  }
}
