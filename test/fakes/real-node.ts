import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseNodeCard, type NodeCard } from '../../protocol/node-card.js';
import { endEngines, unmountUnder } from '../facility/bed/engines.js';
import { freePort } from './console.js';
import { value } from './results.js';
import { until } from './until.js';

const cli = fileURLToPath(new URL('../../bmonitor/cli/index.js', import.meta.url));

/** A real node in a process of its own, on loopback, for the landlord whose card it is given. */
export class RealNode {
  readonly #folder: string;
  #child: ChildProcess | undefined;
  log = '';

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async make(name: string, landlordCard: string, ...more: string[]): Promise<RealNode> {
    const folder = mkdtempSync(join(tmpdir(), 'bmonitor-node-'));
    const listen = `127.0.0.1:${await freePort()}`;
    const args = ['init', '--dir', join(folder, 'node'), '--landlord', landlordCard, '--name', name];
    const made = spawnSync(
      process.execPath,
      [cli, ...args, '--listen', listen, '--key-bits', '2048', ...more],
      {
        encoding: 'utf8',
      },
    );
    if (made.status !== 0) throw new Error(made.stderr);
    return new RealNode(folder);
  }

  get cardFile(): string {
    return join(this.#folder, 'node', 'card-0.json');
  }

  get card(): NodeCard {
    return value(parseNodeCard(readFileSync(this.cardFile)));
  }

  async run(): Promise<void> {
    const args = ['--enable-source-maps', cli, 'run', '--dir', join(this.#folder, 'node'), '--log', 'debug'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    this.log = '';
    child.stderr.on('data', (chunk: Buffer) => (this.log += chunk.toString()));
    await until(() => {
      if (child.exitCode !== null) throw new Error(this.log);
      return this.log.includes('"node.ready"');
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  }

  async remove(): Promise<void> {
    await this.stop();
    await endEngines(join(this.#folder, 'node'));
    unmountUnder(this.#folder);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
