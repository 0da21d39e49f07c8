import { spawn } from 'node:child_process';
import { ok, refuse, type Result } from '../../../protocol/result.js';

/** Runs iproute2's `ip`, and gives what it wrote. */
export function ip(words: readonly string[], input = ''): Promise<Result<string>> {
  return new Promise((resolve) => {
    const child = spawn('ip', words, { stdio: 'pipe', env: { ...process.env, LC_ALL: 'C' } });
    let out = '';
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (data: string) => (out += data));
    child.stderr.setEncoding('utf8').on('data', (data: string) => (said += data));
    child.stdin.on('error', () => {});
    child.on('error', (error) => resolve(refuse('address-tool-failed', error.message)));
    child.on('close', (code) =>
      resolve(code === 0 ? ok(out) : refuse('address-tool-failed', said.trim() || `ip ended with ${code}`)),
    );
    child.stdin.end(input);
  });
}

/** Several commands of `ip` in one process. */
export async function ipBatch(lines: readonly string[]): Promise<Result<void>> {
  const done = await ip(['-batch', '-'], `${lines.join('\n')}\n`);
  return done.ok ? ok(undefined) : done;
}
