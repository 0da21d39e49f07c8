import { spawn } from 'node:child_process';
import { limits } from '../../../protocol/limits.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';

/** Runs a program with these bytes on its standard input, and gives the bytes that it wrote. */
export function fed(
  name: string,
  words: readonly string[],
  input: Uint8Array = new Uint8Array(),
  good: readonly number[] = [0],
): Promise<Result<Buffer>> {
  return new Promise((resolve) => {
    const child = spawn(name, words, {
      stdio: 'pipe',
      env: { ...process.env, LC_ALL: 'C' },
      timeout: limits.power_tool_ms_max,
      killSignal: 'SIGKILL',
    });
    const out: Buffer[] = [];
    let size = 0;
    let said = '';
    child.stdout.on('data', (data: Buffer) => {
      size += data.length;
      if (size <= limits.local_answer_chars_max) out.push(data);
    });
    child.stderr.setEncoding('utf8').on('data', (data: string) => {
      said = (said + data).slice(0, limits.tool_words_max);
    });
    child.stdin.on('error', () => {});
    child.on('error', (error) => resolve(refuse('program-failed', error.message)));
    child.on('close', (code, signal) =>
      resolve(
        code !== null && good.includes(code)
          ? ok(Buffer.concat(out))
          : refuse('program-failed', said.trim() || `${name} ended with ${code ?? signal}`),
      ),
    );
    child.stdin.end(input);
  });
}
