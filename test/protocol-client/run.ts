import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { root } from '../../scripts/run/root.js';

/** Debian's own Python, whose packages the client needs. */
function start(args: readonly string[]): ChildProcess {
  const script = join(root, 'test/protocol-client/client.py');
  return spawn('/usr/bin/python3', [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
}

async function end(child: ChildProcess): Promise<Record<string, unknown>> {
  let out = '';
  let err = '';
  child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(err);
  return JSON.parse(out) as Record<string, unknown>;
}

/** Runs the client in Python; gives what it says at its end. */
export async function pythonClient(...args: readonly string[]): Promise<Record<string, unknown>> {
  return end(start(args));
}

/**
 * Runs it as a listener. What it says at its end is given in a box, once the node knows that somebody listens: what happens before is told to
 * nobody.
 */
export async function pythonListener(
  ...args: readonly string[]
): Promise<{ said: Promise<Record<string, unknown>> }> {
  const child = start(['listen', ...args]);
  const said = end(child);
  const listening = new Promise<void>((resolve) => {
    if (child.stderr) createInterface(child.stderr).on('line', (line) => line === 'listening' && resolve());
  });
  await Promise.race([listening, said]);
  return { said };
}
