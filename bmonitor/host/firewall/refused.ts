import { spawn, type ChildProcess } from 'node:child_process';
import type { RefusedPacket } from '../../ports/firewall.js';
import type { Prefix } from './nft-shell.js';
import { NflogReader } from './pcap-stream.js';
import { Stream } from './stream.js';

const held_packets_max = 1000;
const restart_ms = 500;

/** Listens to the kernel's log group and gives every packet the word that the refusing rule gave it. */
export class RefusedLog {
  readonly #command: readonly string[];
  readonly #prefix: string;
  readonly #stream = new Stream<RefusedPacket>(held_packets_max);
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(prefix: Prefix, options: { readonly group: number; readonly logPrefix: string }) {
    // -U writes each packet at once, --immediate-mode reads it at once.
    const flags = ['-U', '--immediate-mode', '-n', '-Z', 'root', '-w', '-'];
    this.#command = [...prefix, 'tcpdump', '-i', `nflog:${options.group}`, ...flags];
    this.#prefix = options.logPrefix;
    this.#start();
  }

  read(): AsyncIterable<RefusedPacket> {
    return this.#stream.read();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#stream.end();
    const child = this.#child;
    if (child === undefined) return;
    await new Promise<void>((resolve) => {
      child.once('close', () => resolve());
      child.kill('SIGTERM');
    });
  }

  #start(): void {
    const [program = '', ...words] = this.#command;
    const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'ignore'] });
    this.#child = child;
    const reader = new NflogReader();
    child.stdout.on('data', (data: Buffer) => {
      for (const { prefix, direction, at, payload } of reader.read(data)) {
        if (!prefix.startsWith(this.#prefix)) continue;
        this.#stream.push({ reason: prefix.slice(this.#prefix.length), direction, at, packet: payload });
      }
    });
    const again = (): void => {
      if (this.#child !== child) return;
      this.#child = undefined;
      if (!this.#closed) this.#timer = setTimeout(() => this.#start(), restart_ms);
    };
    child.on('error', again);
    child.on('close', again);
  }
}
