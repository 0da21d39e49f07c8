import { execFileSync, fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeSession } from '../../../console/nodes/session.js';
import { makePair, publicKeyFromJwk, thumbprint, type Pair } from '../../../crypto/rsa.js';
import { parseNodeCard, type NodeCard } from '../../../protocol/node-card.js';
import type { Addressee } from '../../../protocol/request.js';
import type { Result } from '../../../protocol/result.js';
import { dial, socketChannel } from '../../../protocol/socket.js';
import { processorTime_s } from '../../run/processor.js';
import { root } from '../../run/root.js';

export const bits = 3072;

export function must<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`${result.refusal.code} ${result.refusal.detail ?? ''}`);
  return result.value;
}

/** A real node in a process of its own, with keys of the ordinary size. */
export class BenchNode {
  readonly #children: ChildProcess[] = [];
  port = 0;

  private constructor(
    readonly folder: string,
    readonly console: Pair,
    readonly card: NodeCard,
  ) {}

  static async make(...more: readonly string[]): Promise<BenchNode> {
    const folder = await mkdtemp(join(tmpdir(), 'bmonitor-bench-'));
    const pair = await makePair(bits);
    const card = { v: 1, kind: 'console-card', name: 'bench', key: pair.public.jwk };
    await writeFile(join(folder, 'console.json'), JSON.stringify(card));
    const args = [
      'init',
      '--dir',
      join(folder, 'node'),
      '--landlord',
      join(folder, 'console.json'),
      '--name',
      'bench',
    ];
    const cli = join(root, 'dist/bmonitor/cli/index.js');
    const keys = more.includes('--keys') ? [] : ['--keys', 'file'];
    const init = spawn(process.execPath, [cli, ...args, '--listen', '127.0.0.1:0', ...keys, ...more], {
      stdio: 'ignore',
    });
    const [code] = (await once(init, 'exit')) as [number];
    if (code !== 0) throw new Error(`bmonitor init ended with ${code}`);
    const written = await readFile(join(folder, 'node/card-0.json'), 'utf8');
    return new BenchNode(folder, pair, must(parseNodeCard(written)));
  }

  get dir(): string {
    return join(this.folder, 'node');
  }

  /** `env`: more for its environment, such as a clock of its own. */
  async start(env: Readonly<Record<string, string>> = {}): Promise<number> {
    const cli = join(root, 'dist/bmonitor/cli/index.js');
    const child = spawn(process.execPath, [cli, 'run', '--dir', this.dir, '--log', 'warn'], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    return this.#started(child, () => this.#portFromStatus());
  }

  /** A node that makes events when it is told to: `child.send(count)`. */
  async startEvents(): Promise<ChildProcess> {
    const child = fork(join(root, 'dist/scripts/bench/parts/event-node.js'), [this.dir]);
    const [port] = (await once(child, 'message')) as [number];
    this.port = port;
    this.#children.push(child);
    return child;
  }

  async #started(child: ChildProcess, port: () => number | undefined): Promise<number> {
    this.#children.push(child);
    for (;;) {
      const found = port();
      if (found !== undefined) {
        this.port = found;
        return child.pid ?? 0;
      }
      if (child.exitCode !== null) throw new Error('the node ended');
      await pause(100);
    }
  }

  #portFromStatus(): number | undefined {
    try {
      const cli = join(root, 'dist/bmonitor/cli/index.js');
      const out = execFileSync(process.execPath, [cli, 'status', '--dir', this.dir, '--json'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      return Number(/port (\d+)/.exec(out)?.[1]);
    } catch {
      return undefined;
    }
  }

  /** Waits until the node has done what it does ahead, such as looking for primes. */
  async settled(): Promise<void> {
    const pid = this.#children.at(-1)?.pid ?? 0;
    for (let quiet = 0, tries = 0; quiet < 2 && tries < 100; tries += 1) {
      const before = processorTime_s(pid);
      await pause(150);
      quiet = processorTime_s(pid) - before > 0.03 ? 0 : quiet + 1;
    }
  }

  get url(): string {
    return `wss://127.0.0.1:${this.port}`;
  }

  get to(): Addressee {
    const key = publicKeyFromJwk(this.card.key);
    if (!key) throw new Error('no key in the card');
    return { level: 0, lease: this.card.lease, key };
  }

  async session(speaker: Pair = this.console): Promise<NodeSession> {
    const pin = this.card.ways[0]?.pin;
    const socket = must(
      await dial({ url: this.url, ...(pin === undefined ? {} : { pin }), timeout_ms: 10_000 }),
    );
    const clocks = { wall: () => Date.now(), steady: () => performance.now() };
    return new NodeSession(socketChannel(socket, 'bench'), speaker, thumbprint(this.card.identity), clocks);
  }

  async stop(): Promise<void> {
    for (const child of this.#children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    }
  }

  async remove(): Promise<void> {
    await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
