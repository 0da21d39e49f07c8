import { spawn } from 'node:child_process';
import { limits } from '../../protocol/limits.js';
import { messageOf } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';

/** Runs a program of this machine to its end; what it wrote, or the end of its complaints. Nothing of it passes a shell. */
export async function runTool(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly input?: string } = {},
): Promise<Result<string>> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (err = (err + chunk.toString()).slice(-4000)));
    child.on('error', (error) => resolve(refuse('image-not-built', `${program}: ${messageOf(error)}`)));
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
    child.on('close', (code, signal) => {
      if (code === 0) return resolve(ok(out));
      const words = (err.trim() || out.trim()).slice(-limits.tool_words_max);
      resolve(refuse('image-not-built', `${program} ended with ${code ?? signal}: ${words}`));
    });
  });
}
