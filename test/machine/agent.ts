import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { until } from '../fakes/until.js';

export interface Ran {
  readonly code: number;
  /** What it wrote, on either stream. */
  readonly output: string;
}

/** Runs scripts inside the machine, through a port that no filter of packets touches. One at a time. */
export class Agent {
  readonly #waiting = new Map<string, (ran: Ran | undefined) => void>();
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(private readonly socket: Socket) {
    createInterface({ input: socket }).on('line', (line) => {
      const [number = '', code = '', output = ''] = line.split(' ');
      // What somebody asked who is gone is answered too, and is for nobody.
      this.#waiting.get(number)?.({ code: Number(code), output: Buffer.from(output, 'base64').toString() });
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      for (const tell of this.#waiting.values()) tell(undefined);
    });
  }

  static async reach(path: string): Promise<Agent> {
    let agent: Agent | undefined;
    await until(async () => {
      const socket = await connected(path);
      if (socket) agent = new Agent(socket);
      return agent !== undefined;
    });
    if (!agent) throw new Error('the machine has no port');
    return agent;
  }

  run(script: string): Promise<Ran> {
    const done = this.#turn.then(() => this.#run(script));
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #run(script: string): Promise<Ran> {
    const number = randomBytes(8).toString('hex');
    const ran = await new Promise<Ran | undefined>((resolve) => {
      if (this.socket.destroyed) return resolve(undefined);
      this.#waiting.set(number, resolve);
      this.socket.write(`${number} ${Buffer.from(script).toString('base64')}\n`);
    });
    this.#waiting.delete(number);
    if (ran === undefined) throw new Error(`the machine went away during: ${script}`);
    return ran;
  }

  close(): void {
    this.socket.destroy();
  }
}

function connected(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(socket));
    socket.once('error', () => resolve(undefined));
  });
}
