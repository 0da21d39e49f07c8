import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Command } from '../../../protocol/commands.js';
import { distPath, type Place } from '../bed/index.js';

export interface Answered {
  /** As the console sees it: with its own signing, sealing and opening. */
  readonly took_ms: number;
  /** From the sealed request sent to the sealed reply received. */
  readonly node_ms: number;
  /** When it was sent, on the clock of the machine that does not step. */
  readonly sent_ms: number;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: string; readonly detail?: string; readonly data?: unknown };
}

export interface Heard {
  readonly level: number;
  readonly event: Readonly<Record<string, unknown>>;
}

/** A whole node at a place, with a tenant at level 1, commanded from beside it over its own socket. */
export class Commanded {
  readonly heard: Heard[] = [];
  /** The node's folder, and the tenant's lease. */
  dir = '';
  lease = '';
  readonly #child: ChildProcess;
  readonly #waiting: ((answer: Answered) => void)[] = [];

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** `ip netns exec` gives a process a /sys of its own, in which there are no control groups: not for engines. */
  static async at(
    place: Place,
    enter: 'whole' | 'network' = 'whole',
    reached: readonly string[] = ['--address', place.ipv4, place.ipv6],
  ): Promise<Commanded> {
    const network = ['--keys', 'file', '--interface', place.nic, ...reached];
    const script = distPath('test/facility/firewall/commanded-process.js');
    const program = [process.execPath, script, ...network];
    const [tool, words] =
      enter === 'whole'
        ? ['ip', ['netns', 'exec', place.namespace, ...program]]
        : ['nsenter', [`--net=/run/netns/${place.namespace}`, ...program]];
    const child = spawn(tool, words, { stdio: ['pipe', 'pipe', 'inherit'] });
    const commanded = new Commanded(child);
    await new Promise<void>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`the node's commander ended with ${code}`)));
      createInterface({ input: child.stdout }).on('line', (line) => {
        const said = JSON.parse(line) as Answered &
          Partial<Heard> & {
            readonly ready?: boolean;
            readonly dir?: string;
            readonly lease?: string;
          };
        if (said.ready === true) {
          [commanded.dir, commanded.lease] = [said.dir ?? '', said.lease ?? ''];
          resolve();
        } else if (said.event) commanded.heard.push({ level: said.level ?? 0, event: said.event });
        else commanded.#waiting.shift()?.(said);
      });
    });
    return commanded;
  }

  /** What the node answered, be it a refusal. */
  ask(level: number, command: Command, options: { readonly follow?: boolean } = {}): Promise<Answered> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#child.stdin?.write(`${JSON.stringify({ level, command, ...options })}\n`);
    });
  }

  /** Kills the node and starts it again; resolves when it is ready. What it was asked to tell, it is not asked any more. */
  killed(): Promise<Answered> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#child.stdin?.write('kill\n');
    });
  }

  /** Its result, or the refusal thrown. */
  async must(level: number, command: Command): Promise<Readonly<Record<string, unknown>>> {
    const { result, error } = await this.ask(level, command);
    if (!result) throw new Error(`${command.type}: ${error?.code} ${error?.detail ?? ''}`);
    return result;
  }

  events(level: number, kind: string): readonly Readonly<Record<string, unknown>>[] {
    return this.heard
      .filter((one) => one.level === level && one.event['kind'] === kind)
      .map((one) => one.event);
  }

  async close(): Promise<void> {
    const gone = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await gone;
  }
}
