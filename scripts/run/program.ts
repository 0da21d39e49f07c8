import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { root } from './root.js';

export interface Finished {
  readonly code: number;
  readonly output: string;
  readonly elapsed_ms: number;
}

export interface ProgramOptions {
  /** Shown as it comes instead of being kept. */
  readonly show?: boolean | undefined;
  /** Shown line by line behind this word, so that what runs side by side can be told apart. */
  readonly label?: string | undefined;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program to its end. */
export async function program(command: readonly string[], options: ProgramOptions = {}): Promise<Finished> {
  const [file, ...args] = command;
  if (file === undefined) throw new Error('no program was named');
  const started = performance.now();
  const child = spawn(file, args, {
    cwd: root,
    env: { ...process.env, ...options.env },
    stdio: options.show === true ? 'inherit' : ['ignore', 'pipe', 'pipe'],
  });
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    if (options.label === undefined) stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    else showLines(stream, options.label);
  }
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, signal) => resolve(status ?? (signal === null ? 1 : 128)));
  });
  return { code, output: Buffer.concat(chunks).toString(), elapsed_ms: performance.now() - started };
}

/** A JavaScript program of a development dependency, run by this Node.js. */
export function tool(path: string, ...args: readonly string[]): string[] {
  return [process.execPath, join(root, 'node_modules', path), ...args];
}

function showLines(stream: Readable, label: string): void {
  createInterface({ input: stream }).on('line', (line) => {
    if (line.trim() !== '') console.log(`${label.padEnd(8)} | ${line}`);
  });
}
