import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { limits } from '../../../protocol/limits.js';
import { launchScript } from './launch.js';

/** A process with namespaces that nobody uses yet, which becomes the conmon of the next engine. */
export interface Cradle {
  readonly child: ChildProcess;
  /** Where it is told for what it is. */
  readonly words: Writable;
  readonly complaints: Readable;
  /** What conmon says of the making. */
  readonly answers: Readable;
  /** What becomes of the network, which is made beside. */
  readonly network: Readable;
}

function cradle(groups: readonly string[]): Cradle {
  const child = spawn('/usr/bin/perl', ['-e', launchScript, groups.join('\n')], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe', 'pipe', 'pipe'],
    env: {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      LC_ALL: 'C',
      BM_MACHINE: process.arch === 'arm64' ? 'aarch64' : 'x86_64',
      BM_FILES: String(limits.engine_files_max),
      _OCI_SYNCPIPE: '3',
    },
  });
  const [words, , complaints, answers, network] = child.stdio as [
    Writable,
    null,
    Readable,
    Readable,
    Readable,
  ];
  // Who ended before he was told anything is seen by that.
  words.on('error', () => {});
  return { child, words, complaints, answers, network };
}

const after_ms = 100;

/**
 * Keeps one cradle ready, so that an engine that starts does not wait for a process and for namespaces, which are the slowest that a kernel makes. There is none before the first
 * engine. One whose BMonitor is gone ends by itself: its words end.
 */
export class Cradles {
  #ready: Cradle | undefined;
  #closed = false;

  take(groups: readonly string[]): Cradle {
    const ready = this.#ready;
    this.#ready = undefined;
    return ready && isThere(ready) ? ready : cradle(groups);
  }

  /** For the next start, a moment after this one: what was just started wants the processor more. */
  prepare(groups: readonly string[]): void {
    setTimeout(() => this.#make(groups), after_ms).unref();
  }

  #make(groups: readonly string[]): void {
    if (this.#closed || (this.#ready && isThere(this.#ready))) return;
    this.#ready = cradle(groups);
    const { child, answers, complaints, network } = this.#ready;
    // It holds up neither BMonitor's end nor anything else.
    child.unref();
    child.on('error', () => {});
    for (const stream of [answers, complaints, network]) stream.on('error', () => {});
  }

  /** Resolves when none is left. */
  async close(): Promise<void> {
    this.#closed = true;
    const ready = this.#ready;
    this.#ready = undefined;
    if (!ready || !isThere(ready)) return;
    const gone = once(ready.child, 'exit');
    ready.words.end();
    await gone;
  }
}

function isThere({ child }: Cradle): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}
