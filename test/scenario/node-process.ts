import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { makePair, type Pair } from '../../crypto/rsa.js';
import { NodeSession, type Noticed } from '../../console/nodes/session.js';
import { parseNodeCard, levelKeyOf, type NodeCard } from '../../protocol/node-card.js';
import type { MessageChannel } from '../../protocol/channel.js';
import type { Addressee } from '../../protocol/request.js';
import { dial, socketChannel } from '../../protocol/socket.js';
import { endEngines, unmountUnder } from '../facility/bed/engines.js';
import { value } from '../fakes/results.js';

export const cli = fileURLToPath(new URL('../../bmonitor/cli/index.js', import.meta.url));

/** What its processes run in. */
interface Around {
  /** Where they look for programs. */
  readonly path?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** A program that starts them, and its arguments. */
  readonly wrap?: readonly string[];
}

/** A real node in a process of its own, on loopback, in a folder that goes with it. */
export class NodeProcess {
  readonly log: Record<string, unknown>[] = [];
  #child: ChildProcess | undefined;
  #port = 0;

  private constructor(
    readonly folder: string,
    readonly landlord: Pair,
    readonly card: NodeCard,
    readonly around: Around,
  ) {}

  static async make(
    options: Around & {
      /** More for the command line of `bmonitor init`. */
      readonly init?: readonly string[];
      /** Where its folder is made. */
      readonly parent?: string;
    } = {},
  ): Promise<NodeProcess> {
    const folder = await mkdtemp(join(options.parent ?? tmpdir(), 'bmonitor-test-'));
    const landlord = await makePair(2048);
    const card = { v: 1, kind: 'console-card', name: 'landlord', key: landlord.public.jwk };
    await writeFile(join(folder, 'landlord.json'), JSON.stringify(card));
    const dir = join(folder, 'node');
    const keys = options.init ?? ['--keys', 'file'];
    const args = ['init', '--dir', dir, '--landlord', join(folder, 'landlord.json'), '--name', 'node-1'];
    const [program, words] = wrapped(options, [
      ...args,
      '--listen',
      '127.0.0.1:0',
      '--key-bits',
      '2048',
      ...keys,
    ]);
    const child = spawn(program, words, {
      env: environment(options),
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const [code] = (await once(child, 'exit')) as [number];
    if (code !== 0) throw new Error(`bmonitor init ended with ${code}`);
    return new NodeProcess(
      folder,
      landlord,
      value(parseNodeCard(await readFile(join(dir, 'card-0.json'), 'utf8'))),
      options,
    );
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get dir(): string {
    return join(this.folder, 'node');
  }

  /** Resolves when the node says that it is ready. `env`: more for its environment, such as a clock of its own. */
  async start(env: Readonly<Record<string, string>> = {}): Promise<void> {
    const [program, words] = wrapped(this.around, ['run', '--dir', this.dir, '--log', 'debug']);
    const child = spawn(program, words, {
      cwd: this.folder,
      env: { ...environment(this.around), ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#child = child;
    await new Promise<void>((resolve, reject) => {
      child.once('exit', (code) =>
        reject(new Error(`the node ended with ${code}: ${JSON.stringify(this.log.at(-1))}`)),
      );
      createInterface({ input: child.stderr }).on('line', (line) => {
        const entry = parsed(line);
        this.log.push(entry);
        if (entry['event'] !== 'node.ready') return;
        this.#port = Number(entry['port']);
        resolve();
      });
    });
  }

  get url(): string {
    return `wss://127.0.0.1:${this.#port}`;
  }

  /** Resolves with the exit code when the node ends by itself. */
  async ended(): Promise<number | null> {
    const child = this.#child;
    if (!child) throw new Error('the node was not started');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    this.#child = undefined;
    return child.exitCode;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  async remove(): Promise<void> {
    await this.kill();
    await endEngines(this.dir);
    unmountUnder(this.folder);
    await rm(this.folder, { recursive: true, force: true });
  }

  get to(): Addressee {
    return { level: 0, lease: this.card.lease, key: value(levelKeyOf(this.card)) };
  }

  async session(
    pair: Pair = this.landlord,
    along: (channel: MessageChannel) => MessageChannel = (channel) => channel,
    noticed?: Noticed,
  ): Promise<NodeSession> {
    const [way] = this.card.ways;
    const pin = way?.pin;
    const socket = value(
      await dial({ url: this.url, ...(pin === undefined ? {} : { pin }), timeout_ms: 10_000 }),
    );
    const node = (await import('../../crypto/rsa.js')).thumbprint(this.card.identity);
    const clocks = { wall: () => Date.now(), steady: () => performance.now() };
    return new NodeSession(along(socketChannel(socket, 'test')), pair, node, clocks, { noticed });
  }
}

function wrapped({ wrap = [] }: Around, words: readonly string[]): [program: string, words: string[]] {
  const [program = '', ...rest] = [...wrap, process.execPath, cli, ...words];
  return [program, rest];
}

function environment({ path, env }: Around): NodeJS.ProcessEnv {
  return { ...process.env, ...env, ...(path === undefined ? {} : { PATH: path }) };
}

function parsed(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return { event: 'text', line };
  }
}
