import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../../scripts/run/root.js';

/** Runs the client in Python, with Debian's own, whose packages it needs; gives what it says at its end. */
export async function pythonClient(...args: readonly string[]): Promise<Record<string, unknown>> {
  const script = join(root, 'test/protocol-client/client.py');
  const child = spawn('/usr/bin/python3', [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(err);
  return JSON.parse(out) as Record<string, unknown>;
}
