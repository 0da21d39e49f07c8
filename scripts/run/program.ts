import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root } from './root.js';

export interface Finished {
  readonly code: number;
  readonly output: string;
  readonly elapsed_ms: number;
}

/** Runs a program to its end. Its output is shown as it comes, or kept. */
export async function program(
  command: readonly string[],
  options: { readonly show?: boolean; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Finished> {
  const [file, ...args] = command;
  if (file === undefined) throw new Error('no program was named');
  const started = performance.now();
  const child = spawn(file, args, {
    cwd: root,
    env: { ...process.env, ...options.env },
    stdio: options.show === true ? 'inherit' : ['ignore', 'pipe', 'pipe'],
  });
  const chunks: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => chunks.push(chunk));
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
